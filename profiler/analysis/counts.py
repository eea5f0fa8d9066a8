"""What each function costs in each unit of one side of a comparison."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from profiler.analysis.tree import Column

Matrix = NDArray[np.float64]
"""A row a unit, a column a function."""


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """One side. `selves` and `totals` are values by unit and function, `self_samples` and
    `total_samples` the same in samples; a total counts a stack once, however often the function
    stands in it.

    `whole` and `samples` are what was sampled in each unit, in value and in samples, and
    `durations` for how long, 0 where that is not known. `hosts` are their names, "" unknown.
    """

    selves: Matrix
    totals: Matrix
    self_samples: Matrix
    total_samples: Matrix
    whole: NDArray[np.float64]
    samples: NDArray[np.float64]
    durations: NDArray[np.float64]
    hosts: tuple[str, ...]

    @property
    def units(self) -> int:
        return len(self.whole)

    def values_of(self, column: str) -> Matrix:
        return self.selves if column == "self" else self.totals

    def samples_of(self, column: str) -> Column:
        """Of all units together, an entry a function."""
        rows = self.self_samples if column == "self" else self.total_samples
        return np.asarray(rows.sum(axis=0), np.int64)

    def ordered(self, units: Sequence[int]) -> "Counts":
        """The same with its units in another order."""
        rows = list(units)
        if rows == list(range(self.units)):
            return self
        return replace(
            self,
            selves=self.selves[rows],
            totals=self.totals[rows],
            self_samples=self.self_samples[rows],
            total_samples=self.total_samples[rows],
            whole=self.whole[rows],
            samples=self.samples[rows],
            durations=self.durations[rows],
            hosts=tuple(self.hosts[row] for row in rows),
        )
