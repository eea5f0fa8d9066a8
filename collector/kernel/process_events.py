"""Exec, mmap and fork of every process as they happen: a `dummy` perf event on every CPU.

The kernel writes the records at the moment of the event, so a process that lives for 50 ms leaves
its mappings behind. It costs nothing between events and needs no BPF program.
"""

import ctypes
import fcntl
import logging
import os
import select
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Self

from collector.kernel import cpus, perf_event, syscalls
from collector.kernel.perf_ring import PerfRing
from collector.processes.events import Event, Missed, parse

# linux/perf_event.h
_SOFTWARE, _DUMMY = 1, 9
_SAMPLE_TIME = 1 << 2
_MMAP, _COMM, _TASK, _SAMPLE_ID_ALL, _MMAP2, _COMM_EXEC, _USE_CLOCKID = (
    1 << n for n in (8, 9, 13, 18, 23, 24, 25)
)

PAGES = 128
"""512 KiB a CPU: about 4,000 records of 120 bytes, which is 350 executions. The kernel wakes who
waits for a ring when half of it is full."""

MAX_KEPT = 200_000
"""Events between two calls of `read`: some 60 MB. Beyond it they are missed, and counted."""


logger = logging.getLogger(__name__)


class ProcessEvents:
    """Watches from entry to exit; raises PrivilegeError where the kernel refuses it.

    A thread empties rings that are half full; `missed` counts the events that found no room. While
    it is `paused` nothing is told, so `missed` grows with each `read`; it grows with each CPU, too,
    that comes between two calls of `follow_cpus`.
    """

    def __init__(self, pages: int = PAGES) -> None:
        self.missed = 0
        self._paused = False
        self._pages = pages
        self._fds: dict[int, int] = {}
        self._rings: dict[int, PerfRing] = {}  # by descriptor
        self._followed = perf_event.Followed()
        self._kept: list[Event] = []
        self._others: list[Overheard] = []
        self._lock = threading.Lock()
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self._poll = opened.enter_context(select.epoll())
            opened.callback(self._close_rings)
            try:
                for cpu in cpus.online():
                    self._begin(cpu)
            except OSError as error:
                raise perf_event.explained(error, perf_event.CPU_CLOCK, 1) from error
            self._stop = os.eventfd(0, os.EFD_CLOEXEC)
            opened.callback(os.close, self._stop)
            self._poll.register(self._stop, select.EPOLLIN)
            thread = threading.Thread(target=self._watch, name="process-events", daemon=True)
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
        self._open.close()

    def follow_cpus(self, online: Sequence[int]) -> None:
        """Watches every CPU that is online now. What happened on one that has come is missed."""
        if self._paused:  # their events stand still, all of them
            return
        with self._lock:
            ended, lacking = self._followed.changes(self._fds, online)
            if ended:
                self._look()
            for cpu in ended:
                # Said here alone: there is one of us, but an event a CPU of all that is sampled.
                logger.warning("CPU %d was offline; it is followed again once it is back", cpu)
                self._end(cpu)
            for cpu in lacking:
                self.missed += 1
                with suppress(OSError):  # it went offline just now
                    self._begin(cpu)

    def _begin(self, cpu: int) -> None:
        fd = _open(cpu)
        try:
            ring = PerfRing(fd, self._pages)
        except OSError:
            os.close(fd)
            raise
        self._fds[cpu], self._rings[fd] = fd, ring
        self._poll.register(fd, select.EPOLLIN)

    def _end(self, cpu: int) -> None:
        fd = self._fds.pop(cpu)
        with suppress(FileNotFoundError):  # an event that the kernel has ended
            self._poll.unregister(fd)
        self._rings.pop(fd).close()
        os.close(fd)

    def _close_rings(self) -> None:
        for cpu in list(self._fds):
            self._end(cpu)

    @property
    def paused(self) -> bool:
        return self._paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        if paused == self._paused:
            return
        self._paused = paused
        for fd in self._rings:
            fcntl.ioctl(fd, perf_event.DISABLE if paused else perf_event.ENABLE, 0)

    def read(self) -> list[Event]:
        """Everything since the last call, in the order in which it happened."""
        with self._lock:
            self._look()
            self.missed += self._paused
            events, self._kept = self._kept, []
        return sorted(events, key=lambda event: event.time_ns)

    def _watch(self) -> None:
        while self._stop not in (ready := dict(self._poll.poll())):
            with self._lock:
                for fd, what in ready.items():
                    # An event that the kernel has ended stays ready; it may be closed meanwhile.
                    if what != select.EPOLLIN and fd in self._rings:
                        with suppress(FileNotFoundError):
                            self._poll.unregister(fd)
                self._look()

    def overheard(self) -> "Overheard":
        """The same events for another reader, from its entry to its exit."""
        return Overheard(self)

    def _look(self) -> None:
        for ring in self._rings.values():
            for record in ring.read():
                event = parse(*record)
                for reader in (self, *self._others):
                    reader._keep(event)

    def _keep(self, event: Event | Missed | None) -> None:
        if isinstance(event, Missed):
            self.missed += event.events
        elif event is not None and len(self._kept) < MAX_KEPT:
            self._kept.append(event)
        elif event is not None:
            self.missed += 1


class Overheard(ProcessEvents):
    """The events of `source` while that watches, read beside it.

    Rings of its own would not do: they are locked memory, of which a process without privileges has
    as much as one set takes (kernel.perf_event_mlock_kb).
    """

    def __init__(self, source: ProcessEvents) -> None:
        super().__init__()
        self._source = source
        self._lock = source._lock

    def __enter__(self) -> Self:
        with self._lock:
            self._source._look()
            self._source._others.append(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._source._others.remove(self)

    def follow_cpus(self, online: Sequence[int]) -> None:
        """The source does."""

    def _look(self) -> None:
        self.missed += self._source.paused
        self._source._look()


def _open(cpu: int) -> int:
    attributes = perf_event.Attributes(
        type=_SOFTWARE,
        size=ctypes.sizeof(perf_event.Attributes),
        config=_DUMMY,
        sample_type=_SAMPLE_TIME,
        read_format=perf_event.TIME_ENABLED,
        flags=_MMAP | _COMM | _TASK | _SAMPLE_ID_ALL | _MMAP2 | _COMM_EXEC | _USE_CLOCKID,
        clockid=time.CLOCK_MONOTONIC,  # the clock of the samples
    )
    return syscalls.perf_event_open(attributes, -1, cpu)
