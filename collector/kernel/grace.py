"""Waiting until no CPU can still write to a set of maps.

A program that read the number of the active set just before the swap may still be at work on
another CPU. BPF programs run in RCU read-side sections, so they are over once a grace period has
passed. docs/decisions/0002-exact-drain.md has the measurements.
"""

import os
import platform
import time

from collector.kernel import maps, syscalls

# linux/membarrier.h
_GLOBAL = 1 << 0
_GLOBAL_EXPEDITED = 1 << 1

_LOADS_STAY_IN_ORDER = platform.machine() == "x86_64"

_SLEEP_S = 0.05


def wait() -> str:
    """Returns after every program that now runs has ended; the result names the way taken."""
    try:
        # In the kernel this is synchronize_rcu() (4.3; not with nohz_full CPUs: -EINVAL).
        syscalls.membarrier(_GLOBAL)
        return "membarrier"
    except OSError:
        pass
    try:
        replace_inner_map()
        return "map-in-map"
    except OSError:
        # Kernels before 4.20 with nohz_full CPUs. A program takes about 10 us; only one whose
        # virtual CPU is stopped for longer than this can be missed, and is then taken by the
        # next drain but one.
        time.sleep(_SLEEP_S)
        return "sleep"


def replace_inner_map() -> None:
    """Updates a map of maps: the kernel answers when no program uses the old one (4.20)."""
    inner = maps.create(maps.Shape(maps.ARRAY, key_size=4, value_size=4, max_entries=1))
    try:
        outer = maps.create(maps.Shape(maps.ARRAY_OF_MAPS, 4, 4, 1), inner_map_fd=inner)
        try:
            maps.Map(outer).update(bytes(4), inner.to_bytes(4, "little"))
        finally:
            os.close(outer)
    finally:
        os.close(inner)


def fence() -> None:
    """A full memory barrier, where the CPU reorders loads."""
    if not _LOADS_STAY_IN_ORDER:
        # Other processes feel nothing of it: it interrupts only those that registered for it.
        syscalls.membarrier(_GLOBAL_EXPEDITED)
