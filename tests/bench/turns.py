"""One profiler after the other under the same load: what each used while its turn lasted."""

import time
from dataclasses import dataclass
from pathlib import Path

from tests.bench import bpf, proc
from tests.bench.interrupts import Interrupts
from tests.bench.load import Load, Work
from tests.bench.profilers import Profiler

LOOK_SECONDS = 1.0

Memory = tuple[float, float]
"""MiB of a profiler's processes together: RSS, and PSS."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What was used up to a moment, in seconds; the work that each busy program has done."""

    time: float
    agent: float
    interrupts: float
    bpf: float
    work: dict[str, Work]


@dataclass(frozen=True, slots=True)
class Turn:
    """Seconds of CPU time of the profiler's processes, in interrupts and in BPF programs, each a
    second of the turn; `naming` is what that took at the end, a second sampled. `pace`: pieces of
    work a second of CPU time, by program."""

    agent: float
    naming: float
    interrupts: float
    bpf: float
    memory: Memory
    start_memory: Memory
    pace: dict[str, float]


@dataclass(frozen=True, slots=True)
class Turns:
    """Takes turns of `seconds` under one load."""

    folder: Path
    load: Load
    interrupts: Interrupts
    seconds: float

    def take(self, profiler: Profiler) -> Turn:
        """Raises MissingError where the profiler does not run here."""
        with profiler.start(self.folder) as running:
            pid = running.process.pid
            start_memory = _peak(pid, profiler.settle_seconds)
            before = self._now(pid)
            time.sleep(self.seconds)
            after = self._now(pid)
            memory = proc.memory_mb(proc.tree(pid))
        passed = after.time - before.time
        naming = running.cpu_s - after.agent if profiler.names_at_end else 0.0
        return Turn(
            agent=(after.agent - before.agent) / passed,
            naming=naming / (passed + profiler.settle_seconds),
            interrupts=(after.interrupts - before.interrupts) / passed,
            bpf=(after.bpf - before.bpf) / passed,
            memory=memory,
            start_memory=start_memory,
            pace={name: _pace(before.work[name], after.work[name]) for name in after.work},
        )

    def _now(self, pid: int) -> Moment:
        return Moment(
            time=time.monotonic(),
            agent=proc.cpu_seconds(proc.tree(pid)),
            interrupts=self.interrupts.seconds(),
            bpf=sum(runs.ns for runs in bpf.programs(pid, bpf.SAMPLING).values()) / 1e9,
            work=self.load.done(),
        )


def _pace(before: Work, after: Work) -> float:
    return (after.pieces - before.pieces) / max(after.cpu_s - before.cpu_s, 0.01)


def _peak(pid: int, seconds: float) -> Memory:
    end = time.monotonic() + seconds
    resident = proportional = 0.0
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, LOOK_SECONDS))
        found = proc.memory_mb(proc.tree(pid))
        resident, proportional = max(resident, found[0]), max(proportional, found[1])
    return resident, proportional
