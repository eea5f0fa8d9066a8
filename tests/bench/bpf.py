"""What the kernel tells of BPF programs: how often they ran, and for how long.

with statistics():
    before = perf_event_programs()
    …
    runs, run_ns = …
"""

import ctypes
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from collector.kernel import syscalls

# BPF_PROG_TYPE_…
KPROBE, TRACEPOINT, PERF_EVENT, TRACING = 2, 5, 7, 26
SAMPLING = (KPROBE, TRACEPOINT, PERF_EVENT, TRACING)
"""Those that run where others are interrupted, so that no process's time shows it."""
BPF_ENABLE_STATS = 32  # enum bpf_cmd; counts while its descriptor is open


class Statistics(ctypes.Structure):
    """`struct { __u32 type; } enable_stats` of bpf(2): 0 is the run time."""

    _fields_ = (("type", ctypes.c_uint32),)


@dataclass(frozen=True, slots=True)
class Runs:
    """Of a program; what it tail-calls is part of its time."""

    number: int = 0
    ns: int = 0


@contextmanager
def statistics() -> Iterator[None]:
    """The kernel counts the runs of every program; 20 to 50 ns a run."""
    descriptor = syscalls.bpf(BPF_ENABLE_STATS, Statistics())
    try:
        yield
    finally:
        os.close(descriptor)


def programs(
    process: int | str = "self", types: Collection[int] = (PERF_EVENT,)
) -> dict[int, Runs]:
    """The programs of some types that a process holds open, by their number."""
    found = {}
    named = tuple(f"\nprog_type:\t{type}\n" for type in types)
    for path in Path(f"/proc/{process}/fdinfo").iterdir():
        try:
            text = path.read_text()
        except OSError:  # closed by another thread
            continue
        # A map of programs has an owner_prog_type.
        if any(name in text for name in named):
            fields = dict(line.split(":", 1) for line in text.splitlines())
            number, ns = int(fields["run_cnt"]), int(fields["run_time_ns"])
            found[int(fields["prog_id"])] = Runs(number, ns)
    return found
