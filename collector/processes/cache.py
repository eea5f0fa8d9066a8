"""Processes as they were last seen, kept after their end: their samples arrive later.

>>> processes = ProcessCache(ProcFs())
>>> processes.refresh(os.getpid()).alive
True
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from collector.processes.bounded import Bounded
from collector.processes.events import Event, Executed, Forked, Mapped
from collector.processes.facts import Stat, executable_name
from collector.processes.maps import Mapping, parse_maps
from collector.processes.procfs import ProcFs
from collector.processes.text import printable

MAX_TOTAL_MAPPINGS = 100_000
"""Of all processes kept: about 35 MB at most, some 2,000 ordinary processes."""

UNSEEN = -1


@dataclass(frozen=True, slots=True)
class Process:
    """(pid, start_ticks) names a process for ever; start_ticks is -1 where nobody saw it run.

    `executable` is the base name of its file, "" for kernel threads and where unknown.
    `mappings` are the executable ones by address.
    """

    pid: int
    start_ticks: int = UNSEEN
    comm: str = ""
    executable: str = ""
    kernel_thread: bool = False
    alive: bool = False
    mappings: tuple[Mapping, ...] = ()
    _starts: tuple[int, ...] = field(default=(), repr=False)
    _digest: bytes = field(default=b"", repr=False)

    @property
    def seen(self) -> bool:
        return self.start_ticks != UNSEEN

    def mapping(self, address: int) -> Mapping | None:
        """The executable mapping that holds a runtime address."""
        index = bisect_right(self._starts, address) - 1
        if index >= 0 and address < self.mappings[index].end:
            return self.mappings[index]
        return None

    def with_mapping(self, mapping: Mapping) -> "Process":
        """With what an event says it has mapped, in place of what lay there. The first file that
        a program maps is its own."""
        kept = [
            old for old in self.mappings if old.end <= mapping.start or mapping.end <= old.start
        ]
        mappings = tuple(sorted([*kept, mapping], key=lambda one: one.start))
        starts = tuple(one.start for one in mappings)
        executable = self.executable or ("" if mapping.anonymous else mapping.name)
        return replace(self, executable=executable, mappings=mappings, _starts=starts, _digest=b"")


class ProcessCache:
    """Keeps the newest state of each process; bounded by the mappings it holds."""

    def __init__(self, proc: ProcFs, max_total_mappings: int = MAX_TOTAL_MAPPINGS) -> None:
        self._proc = proc
        self._processes: Bounded[int, Process] = Bounded(
            max_total_mappings, lambda process: 1 + len(process.mappings)
        )

    def __len__(self) -> int:
        return len(self._processes)

    def follow(self, events: Iterable[Event]) -> None:
        """Takes over what processes did, as the kernel reported it and in that order.

        While a process lives, /proc says the same and more; after its end, this is all there is.
        """
        for event in events:
            match event:
                case Forked(pid=pid, parent=parent):
                    known = self._processes.get(parent) or Process(parent)
                    self._processes[pid] = replace(known, pid=pid, start_ticks=UNSEEN, _digest=b"")
                case Executed(pid=pid, comm=comm):
                    self._processes[pid] = Process(pid, comm=printable(comm))
                case Mapped(pid=pid, mapping=mapping):
                    known = self._processes.get(pid) or Process(pid)
                    self._processes[pid] = known.with_mapping(mapping)

    def refresh_all(self) -> None:
        """Looks at every process that there is."""
        for pid in self._proc.pids():
            self.refresh(pid)

    def refresh(self, pid: int) -> Process:
        """The process as it is now; if it has ended, as it was last seen; never raises.

        Mappings are read again each time: exec and dlopen change them, and an address that is
        looked up in old ones gets a wrong name. Reading costs some 0.1 ms, and the text is only
        parsed if it differs from the one before.
        """
        known = self._processes.get(pid)
        stat = self._proc.stat(pid)
        if pid == 0 or (stat and stat.kernel_thread):
            process = _kernel_thread(pid, stat)
        elif stat is None:
            return replace(known, alive=False) if known else Process(pid)
        elif known is not None and not known.seen:  # known by its events alone
            process = self._updated(replace(known, start_ticks=stat.start_ticks), stat)
        elif known is None or known.start_ticks != stat.start_ticks:
            process = self._updated(Process(pid, stat.start_ticks), stat)
        else:
            process = self._updated(known, stat)
        self._processes[pid] = process
        return process

    def _updated(self, known: Process, stat: Stat) -> Process:
        """What cannot be read any more (a zombie has no mappings) stays as it was."""
        link = self._proc.executable(known.pid)
        executable = executable_name(link) if link else known.executable
        known = replace(known, comm=stat.comm, executable=executable, alive=True)
        text = self._proc.maps(known.pid)
        if not text:
            return known
        digest = hashlib.blake2b(text, digest_size=16).digest()
        if digest == known._digest:
            return known
        mappings = parse_maps(text)
        starts = tuple(mapping.start for mapping in mappings)
        return replace(known, mappings=mappings, _starts=starts, _digest=digest)


def _kernel_thread(pid: int, stat: Stat | None) -> Process:
    """Pid 0 is the idle task, which also runs interrupts; it has no directory in /proc."""
    comm = stat.comm if stat else "swapper"
    ticks = stat.start_ticks if stat else UNSEEN
    return Process(pid, ticks, comm, kernel_thread=True, alive=True)
