"""Feeds the kernel's unwinder while samples are taken, and walks what it had to leave for later.

with Unwinding(sampler.unwind, folder, events) as unwinding:
    raw = sampler.drain(unwinding.walk)
    symbolizer.follow(unwinding.read())
    symbolizer.symbolize(raw, unwinding.names.answer)
"""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from collector.kernel import cpus, maps
from collector.kernel.process_events import MAX_KEPT, ProcessEvents
from collector.kernel.stacks import unwalked
from collector.processes.cache import ProcessCache
from collector.processes.events import Event, Executed, Forked, Mapped
from collector.processes.maps import Mapping as CodeMapping
from collector.processes.procfs import ProcFs
from collector.unwind.later import WAITING, Walk, parse_saved
from collector.unwind.python.abi import Cause as PythonCause
from collector.unwind.python.interpreters import Interpreters
from collector.unwind.python.names import Names
from collector.unwind.unwinder import Unwinder, UnwindStats
from profiler.clock import SystemClock

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.1
ATTENTIVE_POLL_SECONDS = 0.01
"""While one command is recorded: its first samples count as much as all others."""
PATIENCE_SECONDS = 1.0
"""In one drain, for the tables of saved stacks. The C library's takes 0.1 s to build."""
LAST_PATIENCE_SECONDS = 15.0
"""In the last drain of a recording. The largest table takes 1.2 s of a CPU; on a busy machine the
child that builds it gets a tenth of one."""
LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class PythonStats:
    """Processes with an interpreter, by why it is not checked ("": it is), and the walks over
    Python frames since the start, by how they ended."""

    processes: Mapping[str, int]
    walks: Mapping[str, int]


class Unwinding:
    """Keeps an Unwinder and Interpreters over `descriptors` fed from entry to exit, by a thread of
    its own.

    It reads `events` every `poll_seconds`, and hands them on by `read`. `names` has the names of
    Python frames.
    """

    def __init__(
        self,
        descriptors: Mapping[str, int],
        folder: Path | None,
        events: ProcessEvents,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._poll_seconds = poll_seconds
        self._events = events
        self._processes = ProcessCache(ProcFs())
        self._unwinder = Unwinder(descriptors, folder, self._mappings)
        self._interpreters = Interpreters(descriptors["python_processes"], SystemClock())
        self.names = Names(descriptors["python_codes"], self._interpreters.inspected)
        self._python_causes = maps.Map(descriptors["python_causes"], copies=cpus.possible())
        self._missed = 0
        self._read: list[Event] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            opened.enter_context(self._unwinder)
            opened.enter_context(self.names)
            self._processes.refresh_all()
            for pid in ProcFs().pids():
                self._add(pid)
            thread = threading.Thread(target=self._run, name="unwinding", daemon=True)
            opened.callback(thread.join)
            opened.callback(self._stop.set)
            thread.start()
            self._open = opened.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def read(self) -> list[Event]:
        """What processes did since the last call. Forgets those that have ended: their stacks
        must have been walked."""
        with self._lock:
            self._tend()
            self._unwinder.remove_ended()
            self._interpreters.remove_ended()
            events, self._read = self._read, []
        return events

    def unknown_interpreter(self, pid: int) -> str:
        """Why a process shows no Python frames; "" where it does, or runs no Python."""
        with self._lock:
            return "" if self._interpreters.inspected(pid) else self._interpreters.cause(pid)

    def stats(self) -> UnwindStats:
        with self._lock:
            return self._unwinder.stats()

    def python_stats(self) -> PythonStats:
        with self._lock:
            walks = {cause.name.lower(): self._count(cause) for cause in PythonCause if cause.value}
            return PythonStats(self._interpreters.causes(), walks)

    def _count(self, cause: PythonCause) -> int:
        """Of all CPUs."""
        counts = self._python_causes.lookup(cause.to_bytes(4, "little")) or b""
        return sum(memoryview(counts).cast("Q"))

    def walk(
        self, saved: Sequence[bytes], patience_seconds: float = PATIENCE_SECONDS
    ) -> list[Walk]:
        """Walks saved stacks, and waits a while for the tables that they need."""
        end = time.monotonic() + patience_seconds
        walks = list(unwalked(saved))
        left = list(range(len(saved)))
        while left:
            known = self._try(saved, walks, left)
            left = [place for place in left if walks[place].cause in WAITING]
            if time.monotonic() > end:
                break
            while left and (stats := self.stats()).tables == known.tables:
                if not stats.pending or time.monotonic() > end:
                    return walks
                time.sleep(LOOK_SECONDS)
        return walks

    def _try(self, saved: Sequence[bytes], walks: list[Walk], places: Sequence[int]) -> UnwindStats:
        """Walks the stacks at these places; what was known before."""
        with self._lock:
            self._tend()
            known = self._unwinder.stats()
            try:
                for place in places:
                    walks[place] = self._unwinder.walk_later(saved[place], self._left(saved[place]))
            except Exception:
                logger.exception("saved stacks could not be walked")
            self._tend()
            return known

    def _left(self, saved: bytes) -> Sequence[CodeMapping] | None:
        """The mappings of a program that the process of a saved stack has left since."""
        head = parse_saved(saved).head
        process = self._processes.left(int(head["tgid"]), int(head["time_ns"]))
        return process.mappings if process else None

    def _run(self) -> None:
        while not self._stop.wait(self._poll_seconds):
            with self._lock:
                self._tend()

    def _tend(self) -> None:
        try:
            self._follow()
            self._unwinder.poll()
            self._interpreters.poll()
        except Exception:
            # Whatever strange file a process maps: stacks then end early, under their cause, and
            # the sampling goes on.
            logger.exception("the unwinder could not be fed")

    def _follow(self) -> None:
        """Tells the unwinder what processes did since the last time."""
        events = self._events.read()
        if self._missed != self._events.missed:
            self._missed = self._events.missed
            self._processes.distrust()
        room = MAX_KEPT - len(self._read)
        self._read += events[:room]
        self._events.missed += len(events[room:])
        self._processes.follow(events)
        changed: set[int] = set()
        for event in events:
            match event:
                case Forked(pid=pid, parent=parent):
                    self._unwinder.copy_process(pid, parent)
                    self._interpreters.copy(pid, parent)
                case Executed(pid=pid):
                    self._unwinder.remove_process(pid)
                    self._interpreters.remove(pid)
                # Code without a file changes all the time: its stacks ask when they need it.
                case Mapped(pid=pid, mapping=mapping) if not mapping.anonymous:
                    changed.add(pid)
        for pid in changed:
            self._add(pid)

    def _add(self, pid: int) -> None:
        if mappings := self._mappings(pid):
            self._unwinder.add_process(pid, mappings)

    def _mappings(self, pid: int) -> Sequence[CodeMapping] | None:
        """Of a process as it is, or was when it ended. What it maps may be an interpreter."""
        process = self._processes.current(pid)
        if process.alive:
            self._interpreters.add(process)
        return process.mappings or None
