"""What the collector itself takes of its node: CPU time and memory, by part.

meter = Meter(source)
meter.read().cpu_ns
"""

import os
import resource
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from collector.processes.procfs import read_bounded
from profiler.timerange import SECOND

_NS_PER_TICK = SECOND // os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Costly(Protocol):
    """What samples: the children that it has now, and the time that its program in the kernel took
    since the start, on all CPUs together."""

    @property
    def children(self) -> Iterable[int]: ...

    @property
    def spent_ns(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU time since the start, and resident memory now (what parts share counts for each).

    `kernel_ns` is the sampling program's, whoever it interrupted.
    """

    collector_ns: int
    children_ns: int
    kernel_ns: int
    collector_bytes: int
    children_bytes: int

    @property
    def cpu_ns(self) -> int:
        return self.collector_ns + self.children_ns + self.kernel_ns

    @property
    def resident_bytes(self) -> int:
        return self.collector_bytes + self.children_bytes


class Meter:
    """Reads the cost of this process and of what `sources` have started; some 0.1 ms each time."""

    def __init__(self, *sources: Costly, proc: Path = Path("/proc")) -> None:
        self._sources = sources
        self._proc = proc
        self._children_ns = 0

    def read(self) -> Cost:
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        children_ns = round((ended.ru_utime + ended.ru_stime) * SECOND)
        children_bytes = 0
        for pid in (pid for source in self._sources for pid in source.children):
            children_ns += self._cpu_ns(pid)
            children_bytes += self._resident_bytes(pid)
        # One that ends between the two is missed once, and none runs backwards.
        self._children_ns = max(self._children_ns, children_ns)
        return Cost(
            collector_ns=time.process_time_ns(),
            children_ns=self._children_ns,
            kernel_ns=sum(source.spent_ns for source in self._sources),
            collector_bytes=self._resident_bytes(os.getpid()),
            children_bytes=children_bytes,
        )

    def _cpu_ns(self, pid: int) -> int:
        """User and system time: fields 14 and 15 of /proc/PID/stat (proc_pid_stat(5))."""
        fields = self._fields(pid, "stat")[11:13]
        return sum(map(int, fields)) * _NS_PER_TICK

    def _resident_bytes(self, pid: int) -> int:
        """Field 2 of /proc/PID/statm."""
        return sum(map(int, self._fields(pid, "statm")[1:2])) * _PAGE_BYTES

    def _fields(self, pid: int, name: str) -> list[bytes]:
        """Those after the name of the program, which may contain anything; none of a process that
        has ended."""
        text = read_bounded(self._proc / str(pid) / name, 4096) or b""
        return text.rpartition(b")")[2].split()
