"""Exec, mmap, fork and exit of every process as they happen: a `dummy` perf event on every CPU.

The kernel writes the records at the moment of the event, so a process that lives for 50 ms leaves
its mappings behind. Costs nothing between events and needs no BPF program.
"""

import errno
import os
from types import TracebackType
from typing import Self

from collector.kernel import cpus, perf_event, syscalls
from collector.kernel.perf_ring import PerfRing
from collector.processes.events import Event, parse

_SOFTWARE, _DUMMY = 1, 9
_SAMPLE_TIME = 1 << 2
_MMAP, _COMM, _TASK, _ID_ALL, _MMAP2, _COMM_EXEC = (
    1 << 8,
    1 << 9,
    1 << 13,
    1 << 18,
    1 << 23,
    1 << 24,
)
_BUILD_ID = 1 << 34

PAGES = 128
"""512 KiB a CPU: some 4,000 executions between two reads, at about 120 bytes a record."""


class ProcessEvents:
    """Watches from entry to exit; raises PrivilegeError where the kernel refuses it."""

    def __init__(self, pages: int = PAGES) -> None:
        self._pages = pages
        self._fds: dict[int, int] = {}
        self._rings: dict[int, PerfRing] = {}

    def __enter__(self) -> Self:
        try:
            for cpu in cpus.online():
                self._fds[cpu] = _open(cpu)
                self._rings[cpu] = PerfRing(self._fds[cpu], self._pages).__enter__()
        except OSError as error:
            self.__exit__(None, None, None)
            raise perf_event.explained(error, perf_event.CPU_CLOCK, 1) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for ring in self._rings.values():
            ring.__exit__(None, None, None)
        for fd in self._fds.values():
            os.close(fd)
        self._rings.clear()
        self._fds.clear()

    def read(self) -> list[Event]:
        """Everything since the last call, in the order in which it happened."""
        records = [record for ring in self._rings.values() for record in ring.read()]
        events = [event for record in records if (event := parse(*record))]
        return sorted(events, key=lambda event: event.time_ns)


def _open(cpu: int) -> int:
    flags = _MMAP | _COMM | _TASK | _ID_ALL | _MMAP2 | _COMM_EXEC
    try:
        return _open_with(cpu, flags | _BUILD_ID)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return _open_with(cpu, flags)  # before 5.12 the kernel reads no build-ids


def _open_with(cpu: int, flags: int) -> int:
    attributes = perf_event.Attributes(
        type=_SOFTWARE,
        size=64,
        config=_DUMMY,
        sample_type=_SAMPLE_TIME,
        flags=flags,
    )
    return syscalls.perf_event_open(attributes, -1, cpu)
