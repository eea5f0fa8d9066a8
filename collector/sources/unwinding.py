"""Feeds the kernel's unwinder while samples are taken, and walks what it had to leave for later.

with Unwinding(sampler.unwind, folder, events, processes) as unwinding:
    raw = sampler.drain(unwinding.walk)
    unwinding.catch_up()
    symbolizer.symbolize(raw, unwinding.names.answer)
"""

import logging
import os
import select
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from collector.kernel import abi, cpus, maps
from collector.kernel.process_events import ProcessEvents
from collector.kernel.program import SHARED_MAPS
from collector.kernel.stacks import unwalked
from collector.processes.cache import ProcessCache
from collector.processes.events import Executed, Exited, Forked, Mapped
from collector.processes.maps import Mapping as CodeMapping
from collector.processes.procfs import ProcFs
from collector.unwind.later import WAITING, SavedStack, Walk, parse_saved
from collector.unwind.python.abi import Cause as PythonCause
from collector.unwind.python.interpreters import Interpreters
from collector.unwind.python.names import Names
from collector.unwind.unwinder import Unwinder, UnwindStats
from profiler.clock import SystemClock

logger = logging.getLogger(__name__)

REST_SECONDS = 0.1
"""Between two times that the program wakes us, and while a table is being built."""
ATTENTIVE_REST_SECONDS = 0.01
"""While one command is recorded: its first samples count as much as all others."""
PATIENCE_SECONDS = 1.0
"""In one drain, for the tables of saved stacks. The C library's takes 0.1 s to build."""
LAST_PATIENCE_SECONDS = 15.0
"""In the last drain of a recording. The largest table takes 1.2 s of a CPU; on a busy machine the
child that builds it gets a tenth of one."""
LOOK_SECONDS = 0.02
PAUSE_SECONDS = 5.0
"""How long who wants a pause waits for the table that is being built."""


@dataclass(frozen=True, slots=True)
class PythonStats:
    """Processes with an interpreter, by why it is not checked ("": it is), and the walks over
    Python frames since the start, by how they ended."""

    processes: Mapping[str, int]
    walks: Mapping[str, int]


class Unwinding:
    """Keeps an Unwinder and Interpreters over `descriptors` fed from entry to exit, by a thread of
    its own.

    The thread sleeps until the program wakes it for a stack that waits for something. Then, and
    when a drain calls `catch_up`, it takes `events` over to `processes`: what is never sampled
    costs no more than that. `names` has the names of Python frames. A program with the maps
    `shared` in place of its own is served too, by any thread, while its rings are `attended`.
    """

    def __init__(
        self,
        descriptors: Mapping[str, int],
        folder: Path | None,
        events: ProcessEvents,
        processes: ProcessCache,
        rest_seconds: float = REST_SECONDS,
        rings: Sequence[int] = (),
    ) -> None:
        """`rings` are those of all programs over `descriptors`; none: the one among them."""
        self.shared = {name: descriptors[name] for name in SHARED_MAPS}
        self._rest_seconds = rest_seconds
        self._rings = rings or (descriptors[abi.RING],)
        self._events = events
        self._processes = processes
        self._unwinder = Unwinder(descriptors, folder, self._mappings)
        self._interpreters = Interpreters(descriptors["python_processes"], SystemClock())
        self.names = Names(descriptors["python_codes"], self._interpreters.inspected)
        self._python_causes = maps.Map(descriptors["python_causes"], copies=cpus.possible())
        self._missed = 0
        self._ended: set[int] = set()
        self._ended_before: set[int] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self._poll = opened.enter_context(select.epoll())
            opened.enter_context(self._unwinder)
            opened.enter_context(self.names)
            for pid in ProcFs().pids():
                self._add(pid)
            self._stop = os.eventfd(0, os.EFD_CLOEXEC)
            opened.callback(os.close, self._stop)
            self._poll.register(self._stop, select.EPOLLIN)
            opened.enter_context(self.attended(self._rings))
            thread = threading.Thread(target=self._run, name="unwinding", daemon=True)
            opened.callback(thread.join)
            opened.callback(os.eventfd_write, self._stop, 1)
            thread.start()
            self._open = opened.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:  # a session may still be at its last drain
            self._closed = True
        self._open.close()

    @contextmanager
    def attended(self, rings: Sequence[int]) -> Iterator[None]:
        """Meanwhile the programs of these wake the thread."""
        for ring in rings:
            # Told of wakeups alone (EPOLLET): a ring with unread records is always ready.
            self._poll.register(ring, select.EPOLLIN | select.EPOLLET)
        yield
        if not self._poll.closed:
            for ring in rings:
                self._poll.unregister(ring)

    def catch_up(self) -> None:
        """Follows what processes did up to now. Forgets those that had ended at the last call: no
        stack of theirs is left to be walked."""
        with self._lock:
            self._tend()
            for pid in self._ended_before:
                self._forget(pid)
            self._ended_before, self._ended = self._ended, set()
            if self._missed != self._events.missed:
                self._missed = self._events.missed
                self._processes.distrust()
                self._unwinder.remove_ended()
                self._interpreters.remove_ended()

    def _forget(self, pid: int) -> None:
        self._unwinder.remove_process(pid)
        self._interpreters.remove(pid)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """No table is begun meanwhile, and the child that builds them has ended: it and one that
        reads a large file's symbols would be too much together."""
        end = time.monotonic() + PAUSE_SECONDS
        while not self._pause() and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)
        try:
            yield
        finally:
            with self._lock:
                self._unwinder.resume()

    def _pause(self) -> bool:
        with self._lock:
            if self._unwinder.pause():
                return True
            self._tend()
            return False

    def unknown_interpreter(self, pid: int) -> str:
        """Why a process shows no Python frames; "" where it does, or runs no Python."""
        with self._lock:
            return "" if self._interpreters.inspected(pid) else self._interpreters.cause(pid)

    @property
    def child_pid(self) -> int | None:
        """The process that builds tables, while there is one."""
        return self._unwinder.child_pid

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
        self, saved: Sequence[SavedStack], patience_seconds: float = PATIENCE_SECONDS
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
            while left and (stats := self.stats()).supplied == known.supplied:
                if not stats.pending or time.monotonic() > end:
                    return walks
                time.sleep(LOOK_SECONDS)
                with self._lock:
                    self._tend()
        return walks

    def _try(
        self, saved: Sequence[SavedStack], walks: list[Walk], places: Sequence[int]
    ) -> UnwindStats:
        """Walks the stacks at these places; what was known before."""
        with self._lock:
            self._tend()
            known = self._unwinder.stats()
            try:
                for place in places if not self._closed else ():
                    walks[place] = self._unwinder.walk_later(saved[place], self._left(saved[place]))
            except Exception:
                logger.exception("saved stacks could not be walked")
            self._tend()
            return known

    def _left(self, saved: SavedStack) -> Sequence[CodeMapping] | None:
        """The mappings of a program that the process of a saved stack has left since."""
        head = parse_saved(saved).head
        process = self._processes.left(int(head["tgid"]), int(head["time_ns"]))
        return process.mappings if process else None

    def _run(self) -> None:
        while self._stop not in dict(self._poll.poll(self._seconds_until_due())):
            with self._lock:
                self._tend()
            time.sleep(self._rest_seconds)

    def _seconds_until_due(self) -> float | None:
        """How long nothing is to be done without a wakeup; None: for ever."""
        with self._lock:
            return 0.0 if self._unwinder.stats().pending else self._interpreters.seconds_until_due()

    def _tend(self) -> None:
        if self._closed:
            return
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
        self._processes.follow(events)
        changed: set[int] = set()
        for event in events:
            match event:
                case Forked(pid=pid, parent=parent):
                    self._ended.discard(pid)
                    self._ended_before.discard(pid)
                    self._unwinder.copy_process(pid, parent)
                    self._interpreters.copy(pid, parent)
                case Executed(pid=pid):
                    self._forget(pid)
                case Exited(pid=pid):
                    self._ended.add(pid)
                # Code without a file changes all the time: its stacks ask when they need it.
                case Mapped(pid=pid, mapping=mapping) if not mapping.anonymous:
                    changed.add(pid)
        for pid in changed:
            if pid in self._unwinder:
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
