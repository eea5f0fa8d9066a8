"""Processes as they were last seen, kept after their end: their samples arrive later.

>>> processes = ProcessCache(ProcFs())
>>> processes.refresh(os.getpid()).alive
True
"""

import hashlib
import threading
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from collector.labels.origin import CGROUP_NS, Origin, OriginReader
from collector.processes.bounded import Bounded
from collector.processes.events import Event, Executed, Forked, Mapped
from collector.processes.facts import Stat, executable_name
from collector.processes.maps import Mapping, parse_maps
from collector.processes.procfs import ProcFs
from collector.processes.text import printable

MAX_TOTAL_MAPPINGS = 100_000
"""Of all processes kept: about 35 MB at most, some 2,000 ordinary processes."""
MAX_WAITING = 10_000
"""Mappings of events that nobody has asked for: those of 2,000 programs that were started."""

MAX_LEFT = 16_384
MAX_LEFT_OF_ONE = 63
"""Programs that processes have left for others, of all and of one; their samples arrive within a
drain."""

UNSEEN = -1


@dataclass(frozen=True, slots=True)
class Process:
    """(pid, start_ticks) names a process for ever; start_ticks is -1 where nobody saw it run.

    `executable` is the base name of its file, "" for kernel threads and where unknown.
    `mappings` are the executable ones by address. Times are monotonic: it began to run its program
    at `since_ns`, 0 where nobody saw it, and was read from /proc at `read_ns`. `origin` is None
    where nothing of it was ever read; a child has its parent's, until it can be read itself.
    """

    pid: int
    start_ticks: int = UNSEEN
    comm: str = ""
    executable: str = ""
    kernel_thread: bool = False
    alive: bool = False
    mappings: tuple[Mapping, ...] = ()
    since_ns: int = 0
    read_ns: int = 0
    origin: Origin | None = None
    _starts: tuple[int, ...] = field(default=(), repr=False)
    _digest: bytes = field(default=b"", repr=False)

    @property
    def program(self) -> tuple[int, int, int]:
        """Names what it runs: another one after it has executed another program."""
        return self.pid, self.start_ticks, self.since_ns

    @property
    def seen(self) -> bool:
        return self.start_ticks != UNSEEN

    def mapping(self, address: int) -> Mapping | None:
        """The executable mapping that holds a runtime address."""
        index = bisect_right(self._starts, address) - 1
        if index >= 0 and address < self.mappings[index].end:
            return self.mappings[index]
        return None

    def with_mappings(self, mapped: Sequence[Mapping]) -> "Process":
        """With what events say it has mapped, each in place of what lay there. The first file that
        a program maps is its own."""
        mappings, starts = list(self.mappings), list(self._starts)
        for mapping in mapped:
            first = bisect_right(starts, mapping.start)
            if first and mappings[first - 1].end > mapping.start:
                first -= 1
            last = max(first, bisect_left(starts, mapping.end))
            mappings[first:last], starts[first:last] = [mapping], [mapping.start]
        own = next((mapping.name for mapping in mapped if not mapping.anonymous), "")
        return replace(
            self,
            executable=self.executable or own,
            mappings=tuple(mappings),
            _starts=tuple(starts),
            _digest=b"",
        )


_Left = tuple[int, Process]
"""Until when, and what."""


class ProcessCache:
    """Keeps the newest state of each process, for any thread; bounded by the mappings it holds."""

    def __init__(
        self,
        proc: ProcFs,
        max_total_mappings: int = MAX_TOTAL_MAPPINGS,
        origins: OriginReader | None = None,
    ) -> None:
        self._proc = proc
        self._origins = origins or OriginReader(proc)
        self._processes: Bounded[int, Process] = Bounded(
            max_total_mappings, lambda process: 1 + len(process.mappings)
        )
        self._waiting: dict[int, list[Mapping]] = {}
        self._distrusted_ns = 0
        self._left: Bounded[int, tuple[_Left, ...]] = Bounded(MAX_LEFT, len)
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._processes)

    def follow(self, events: Iterable[Event]) -> None:
        """Takes over what processes did, as the kernel reported it and in that order.

        While a process lives, /proc says the same and more; after its end, this is all there is.
        Most processes that come and go are never asked for, so mappings wait until one is.
        """
        with self._lock:
            for event in events:
                match event:
                    case Mapped(pid=pid, mapping=mapping):
                        self._waiting.setdefault(pid, []).append(mapping)
                    case Forked(pid=pid, parent=parent, time_ns=time_ns):
                        self._leave(pid, time_ns)
                        known = self._known(parent) or Process(parent)
                        new = replace(
                            known,
                            pid=pid,
                            since_ns=time_ns,
                            read_ns=0,
                            start_ticks=UNSEEN,
                            _digest=b"",
                        )
                        self._put(new)
                    case Executed(pid=pid, comm=comm, time_ns=time_ns):
                        self._leave(pid, time_ns)
                        before = self._known(pid)
                        origin = self._origins.read(pid, before.origin if before else None)
                        name = printable(comm)
                        self._put(Process(pid, comm=name, since_ns=time_ns, origin=origin))
            if sum(map(len, self._waiting.values())) > MAX_WAITING:
                for pid in list(self._waiting):
                    self._known(pid)

    def refresh_all(self) -> None:
        """Looks at every process that there is."""
        for pid in self._proc.pids():
            self.refresh(pid)

    def at(self, pid: int, time_ns: int) -> Process:
        """The process as it was at a time of the monotonic clock up to which its events have been
        followed; at the time 0, as `refresh` has it."""
        if not time_ns:
            return self.refresh(pid)
        return self.left(pid, time_ns) or self.current(pid)

    def current(self, pid: int) -> Process:
        """The process as its events have it; from /proc where they have not told everything.

        Of a process that has executed another program since, /proc would already show that one.
        """
        with self._lock:
            known = self._known(pid)
            if known and known.mappings and self._is_told(known):
                known = replace(known, alive=(self._proc.root / str(pid)).exists())
                return self._moved(known) if known.alive else known
            return self.refresh(pid)

    def _moved(self, process: Process) -> Process:
        """With the control group that it is in now, if that was not looked at for long."""
        origin, pid = process.origin, process.pid
        if origin is None:
            origin = self._origins.read(pid)
        elif time.monotonic_ns() - origin.read_ns >= CGROUP_NS:
            origin = self._origins.moved(pid, origin) or origin
        if origin is not process.origin:
            process = replace(process, origin=origin)
            self._put(process)
        return process

    def distrust(self) -> None:
        """Events were missed: every process is to be read again."""
        self._distrusted_ns = time.monotonic_ns()

    def _is_told(self, process: Process) -> bool:
        return max(process.since_ns, process.read_ns) >= self._distrusted_ns

    def left(self, pid: int, time_ns: int) -> Process | None:
        """The program that a process ran at that time and has left since."""
        with self._lock:
            left = self._left.get(pid) or ()
        found = (p for end_ns, p in left if p.since_ns <= time_ns < end_ns)
        return next(found, None)

    def refresh(self, pid: int) -> Process:
        """The process as it is now; if it has ended, as it was last seen; never raises.

        Mappings are read again each time: exec and dlopen change them, and an address that is
        looked up in old ones gets a wrong name. Reading costs some 0.1 ms, and the text is only
        parsed if it differs from the one before.
        """
        with self._lock:
            stat = self._proc.stat(pid)
            if pid == 0 or (stat and stat.kernel_thread):
                process = _kernel_thread(pid, stat)
            elif stat:
                process = self._alive(pid, stat)
            else:
                known = self._known(pid)
                return replace(known, alive=False) if known else Process(pid)
            self._put(process)
            return process

    def _alive(self, pid: int, stat: Stat) -> Process:
        """What cannot be read any more (a zombie has no mappings) stays as it was."""
        read_ns = time.monotonic_ns()
        text = self._proc.maps(pid)
        if text:
            self._waiting.pop(pid, None)
        known = self._known(pid)
        if known is None or (known.seen and known.start_ticks != stat.start_ticks):
            known = Process(pid)
        link = self._proc.executable(pid)
        executable = executable_name(link) if link else known.executable
        same = known.origin if executable == known.executable else None
        # Not the environment again: a program may have written over it since.
        origin = self._origins.moved(pid, same) if same else self._origins.read(pid, known.origin)
        known = replace(
            known,
            start_ticks=stat.start_ticks,
            comm=stat.comm,
            executable=executable,
            alive=True,
            read_ns=read_ns,
            origin=origin or known.origin,
        )
        if not text:
            return known
        digest = hashlib.blake2b(text, digest_size=16).digest()
        if digest == known._digest:
            return known
        mappings = parse_maps(text)
        starts = tuple(mapping.start for mapping in mappings)
        return replace(known, mappings=mappings, _starts=starts, _digest=digest)

    def _known(self, pid: int) -> Process | None:
        """The process with what events say it has mapped since it was last seen."""
        known = self._processes.get(pid)
        if waiting := self._waiting.pop(pid, None):
            known = self._processes[pid] = (known or Process(pid)).with_mappings(waiting)
        return known

    def _leave(self, pid: int, time_ns: int) -> None:
        """The process ends, or executes another program, at this time."""
        known = self._known(pid)
        # What was read later may be of the program that comes next.
        if known and known.mappings and known.read_ns < time_ns:
            before = self._left.get(pid) or ()
            self._left[pid] = (*before[-MAX_LEFT_OF_ONE:], (time_ns, replace(known, alive=False)))

    def _put(self, process: Process) -> None:
        self._waiting.pop(process.pid, None)
        self._processes[process.pid] = process


def _kernel_thread(pid: int, stat: Stat | None) -> Process:
    """Pid 0 is the idle task, which also runs interrupts; it has no directory in /proc."""
    comm = stat.comm if stat else "swapper"
    ticks = stat.start_ticks if stat else UNSEEN
    return Process(pid, ticks, comm, kernel_thread=True, alive=True)
