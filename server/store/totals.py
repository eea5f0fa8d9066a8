"""Sums without stacks."""

from dataclasses import dataclass

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
