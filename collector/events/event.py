"""An event as a value: what the kernel is asked for, how often, and what its samples count."""

from dataclasses import dataclass

from collector.kernel.perf_event import Counter
from profiler.model import ProfileType


@dataclass(frozen=True, slots=True)
class AnyClock:
    """The CPU's cycles where the machine counts them, else a timer."""


@dataclass(frozen=True, slots=True)
class Tracepoint:
    system: str
    name: str


@dataclass(frozen=True, slots=True)
class Uprobe:
    """The instruction `offset` bytes behind the function `symbol` of the file at `path`."""

    path: str
    symbol: str
    offset: int


@dataclass(frozen=True, slots=True)
class OffCpu:
    """Sleeps shorter than `minimum_ns` have no stack, and of the others one in `sleeps` has."""

    minimum_ns: int = 0
    sleeps: int = 1


@dataclass(frozen=True, slots=True)
class Wall:
    """All time of threads: what they ran and what they did not."""

    off_cpu: OffCpu


Source = AnyClock | Counter | Tracepoint | Uprobe | OffCpu | Wall


@dataclass(frozen=True, slots=True)
class Event:
    """`name` is perf's. Samples come `frequency_hz` times a second, or where that is 0, with every
    `period`th event; of OffCpu, with every sleep."""

    name: str
    type: ProfileType
    source: Source
    frequency_hz: int = 0
    period: int = 1

    @property
    def rate(self) -> str:
        """For people."""
        if isinstance(self.source, OffCpu | Wall):
            return self.name
        if self.frequency_hz:
            return f"{self.name} at {self.frequency_hz} Hz"
        return (
            f"every {self.period:,} of {self.name}" if self.period > 1 else f"each of {self.name}"
        )
