"""Sums without stacks: of a series, of a step of a timeline, of a window that crosses steps."""

from dataclasses import dataclass, replace

LARGEST_SUM = 2**63 - 1
"""What a column holds."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the profiles of one series."""

    profiles: int = 0
    samples: int = 0
    value: int = 0

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(
            self.profiles + other.profiles,
            self.samples + other.samples,
            self.value + other.value,
        )


@dataclass(frozen=True, slots=True)
class Bucket:
    """Sums over the profiles whose window lies in the `number`-th step from the origin."""

    number: int
    samples: int
    value: int


@dataclass(frozen=True, slots=True)
class Window:
    """Sums over the profiles of one window that reaches beyond the step in which it begins."""

    t0_ns: int
    duration_ns: int
    samples: int
    value: int

    def __add__(self, other: "Window") -> "Window":
        """The sums over two parts of the profiles of one window."""
        return replace(self, samples=self.samples + other.samples, value=self.value + other.value)
