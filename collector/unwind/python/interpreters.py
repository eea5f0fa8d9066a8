"""Tells the kernel which processes run Python, and how.

    interpreters = Interpreters(maps["python_processes"], clock)
    interpreters.add(process)       its mappings are known, or have changed
    interpreters.remove(pid)        it executes another program, or has ended
    interpreters.poll()             those that were not ready, after seconds_until_due()

An interpreter is checked in each process. One that has just begun has nothing to be checked by; but
where its file was found good in another process, the kernel begins with what was right there: it
looks itself whether the state that it finds belongs to the thread.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from collector.kernel.maps import Map
from collector.processes.bounded import Bounded
from collector.processes.cache import Process
from collector.processes.maps import Mapping
from collector.symbols.files import Identity
from collector.unwind import bpf_maps
from collector.unwind.python.inspection import PASSING, Inspected, inspect
from collector.unwind.python.located import MAX_FILES, Located, Locator
from collector.unwind.python.memory import Refused, open_memory
from profiler.clock import Clock
from profiler.timerange import SECOND

FIRST_RETRY_NS = 10_000_000
LAST_RETRY_NS = 60_000_000_000
"""A check costs some 2 ms."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A process with an interpreter; `cause` is why it could not be checked, "" where it was:
    then `mapping` is of the interpreter."""

    process: Process
    inspected: Inspected | None
    cause: str
    mapping: Mapping | None = None
    retry_ns: int = 0
    wait_ns: int = FIRST_RETRY_NS

    def describes(self, process: Process) -> bool:
        """Whether the same interpreter is still there. An exec need not have been seen."""
        same = self.process.start_ticks == process.start_ticks
        return not self.cause and same and self.mapping in process.mappings


class Interpreters:
    """Fills the map `python_processes`, given by descriptor; serves one thread."""

    def __init__(self, processes_fd: int, clock: Clock, proc: Path = Path("/proc")) -> None:
        self._fd = processes_fd
        self._map = Map(processes_fd)
        self._clock = clock
        self._proc = proc
        self._locator = Locator(proc)
        self._known: dict[int, _Known] = {}
        self._good: Bounded[Identity, Inspected] = Bounded(MAX_FILES, lambda inspected: 1)

    def __len__(self) -> int:
        return len(self._known)

    def add(self, process: Process) -> None:
        """Looks for an interpreter in the mappings of a process."""
        known = self._known.get(process.pid)
        if known is None or not known.describes(process):
            self._look_at(process, FIRST_RETRY_NS)

    def copy(self, pid: int, parent: int) -> None:
        """A process was forked, and runs what its parent runs until it executes another."""
        known = self._known.get(parent)
        if known is not None:
            self._set(replace(known, process=replace(known.process, pid=pid)))

    def remove(self, pid: int) -> None:
        """Unknown processes do not matter."""
        if self._known.pop(pid, None) is not None:
            bpf_maps.delete(self._fd, _key(pid))

    def remove_ended(self) -> None:
        """Forgets processes that are no more, where nobody saw them end."""
        for pid in [pid for pid in self._known if not (self._proc / str(pid)).exists()]:
            self.remove(pid)

    def inspected(self, pid: int) -> Inspected | None:
        """What the kernel was told of a process."""
        known = self._known.get(pid)
        return known.inspected if known else None

    def cause(self, pid: int) -> str:
        """Why an interpreter is not checked: it shows no Python frames, or those of a layout that
        was good elsewhere. "" where it is checked, or there is none."""
        known = self._known.get(pid)
        return known.cause if known else ""

    def causes(self) -> Counter[str]:
        """How many processes with an interpreter there are by what `cause` says of them."""
        return Counter(known.cause for known in self._known.values())

    def poll(self) -> None:
        """Tries again what was not ready, at growing intervals."""
        now = self._clock.monotonic_ns()
        for known in [known for known in self._passing() if known.retry_ns <= now]:
            self._look_at(known.process, min(2 * known.wait_ns, LAST_RETRY_NS))

    def seconds_until_due(self) -> float | None:
        """When `poll` has something to do; None: never."""
        due = min((known.retry_ns for known in self._passing()), default=None)
        return None if due is None else max(0, due - self._clock.monotonic_ns()) / SECOND

    def _passing(self) -> Iterator[_Known]:
        return (known for known in self._known.values() if known.cause in PASSING)

    def _look_at(self, process: Process, wait_ns: int) -> None:
        inspected, cause, mapping = None, "", None
        try:
            located = self._locator.find(process)
            if located is None:
                self.remove(process.pid)
                return
            inspected, mapping = self._provisional(located), located.mapping
            with open_memory(process.pid, self._proc) as memory:
                inspected = inspect(memory, located.interpreter, located.base)
            self._good[located.file] = inspected
        except Refused as refusal:
            cause = refusal.cause
        if cause and cause not in PASSING:
            inspected = None
        retry_ns = self._clock.monotonic_ns() + wait_ns
        self._set(_Known(process, inspected, cause, mapping, retry_ns, wait_ns))

    def _provisional(self, located: Located) -> Inspected | None:
        """What was found in another process of the same interpreter."""
        good = self._good.get(located.file)
        return None if good is None else good.at(located.interpreter, located.base)

    def _set(self, known: _Known) -> None:
        pid = known.process.pid
        if known.inspected is not None:
            try:
                self._map.update(_key(pid), known.inspected.packed())
            except OSError:  # E2BIG: the map of processes is full
                known = replace(known, inspected=None, cause="no_room")
        elif pid in self._known:
            bpf_maps.delete(self._fd, _key(pid))
        self._known[pid] = known


def _key(pid: int) -> bytes:
    return pid.to_bytes(4, "little")
