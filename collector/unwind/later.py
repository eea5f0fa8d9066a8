"""Walks of stacks that were saved, because the kernel did not yet know what they needed.

The first samples of a program come before its tables, and a process that lives for 50 ms has ended
before anybody read its mappings. So those samples bring their registers and their stack along,
and the same BPF code walks them here once everything is known: the collector runs it with
BPF_PROG_TEST_RUN, and what it takes for the thread's stack is a buffer of the collector's.
"""

import ctypes
import mmap
from dataclasses import dataclass

import numpy as np

from collector.kernel import maps, syscalls
from collector.unwind import abi
from collector.unwind.abi import Cause
from profiler.errors import FormatError

PROG_TEST_RUN = 10  # enum bpf_cmd of linux/bpf.h

WAITING = frozenset((Cause.NO_PROCESS, Cause.NO_MAPPING, Cause.NO_TABLE))
"""Causes that the collector can remove: unwind_can_go_on_later() of bpf/unwind_walk.h."""


@dataclass(frozen=True, slots=True)
class Walk:
    """Addresses, innermost first, as struct unwind has them, and why they end."""

    ips: tuple[int, ...]
    cause: Cause


class _TestRun(ctypes.Structure):
    _fields_ = (
        ("prog_fd", ctypes.c_uint32),
        ("retval", ctypes.c_uint32),
        ("data_size_in", ctypes.c_uint32),
        ("data_size_out", ctypes.c_uint32),
        ("data_in", ctypes.c_uint64),
        ("data_out", ctypes.c_uint64),
        ("repeat", ctypes.c_uint32),
        ("duration", ctypes.c_uint32),
        ("ctx_size_in", ctypes.c_uint32),
        ("ctx_size_out", ctypes.c_uint32),
        ("ctx_in", ctypes.c_uint64),
        ("ctx_out", ctypes.c_uint64),
        ("flags", ctypes.c_uint32),
        ("cpu", ctypes.c_uint32),
    )


class LaterWalker:
    """Runs `program_fd` (unwind_later_start) over the map `map_fd` (unwind_later)."""

    def __init__(self, program_fd: int, map_fd: int) -> None:
        size = -(-maps.shape_of(map_fd).value_size // mmap.PAGESIZE) * mmap.PAGESIZE
        self._memory = mmap.mmap(map_fd, size)
        self._walk = np.frombuffer(self._memory, abi.UNWIND, 1)
        self._stack = ctypes.create_string_buffer(abi.SAVED_BYTES)
        self._run = _TestRun(prog_fd=program_fd)

    def close(self) -> None:
        del self._walk
        self._memory.close()

    def walk(self, saved: bytes) -> Walk:
        """Walks what unwind_save() sent. Raises OSError before Linux 5.10."""
        head, stack = parse_saved(saved)
        ctypes.memmove(self._stack, stack, len(stack))
        thread = self._walk["thread"]
        thread["registers"] = head["registers"]
        thread["saved"] = ctypes.addressof(self._stack)
        thread["saved_from"] = head["from"]
        thread["saved_size"] = len(stack)
        self._walk["tgid"] = head["tgid"]
        syscalls.bpf(PROG_TEST_RUN, self._run)
        (walk,) = self._walk
        return Walk(tuple(walk["ips"][: walk["count"]].tolist()), Cause(int(walk["cause"])))


def parse_saved(saved: bytes) -> tuple[np.void, bytes]:
    """The fixed part of a struct unwind_saved and the stack behind it."""
    if len(saved) < abi.SAVED.itemsize:
        raise FormatError(
            f"a saved stack has at least {abi.SAVED.itemsize} bytes, not {len(saved)}"
        )
    head = np.frombuffer(saved, abi.SAVED, 1)[0]
    stack = saved[abi.SAVED.itemsize :][: int(head["size"])]
    return head, stack[: abi.SAVED_BYTES]
