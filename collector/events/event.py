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
class Pmu:
    """What a unit of the machine counts, by its own terms; one without a number is the name of an
    event, or a bit that is set. `flags` are those of a Counter."""

    unit: str
    terms: tuple[tuple[str, int | None], ...]
    flags: int = 0


@dataclass(frozen=True, slots=True)
class OffCpu:
    """Sleeps shorter than `minimum_ns` have no stack, and of the others one in `sleeps` has."""

    minimum_ns: int = 0
    sleeps: int = 1


@dataclass(frozen=True, slots=True)
class Wall:
    """All time of threads: what they ran and what they did not."""

    off_cpu: OffCpu


Source = AnyClock | Counter | Pmu | Tracepoint | Uprobe | OffCpu | Wall


@dataclass(frozen=True, slots=True)
class Event:
    """`name` is perf's. Samples come `frequency_hz` times a second, or where that is 0, with every
    `period`th event; of OffCpu, with every sleep."""

    name: str
    type: ProfileType
    source: Source
    frequency_hz: int = 0
    period: int = 1

    def with_term(self, term: str) -> str:
        """As it is spelt with this term too."""
        return f"{self.name[:-1]},{term}/" if self.name.endswith("/") else f"{self.name}/{term}/"

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
