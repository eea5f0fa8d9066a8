"""The tree on which all units of a comparison stand, and what adds them up by function."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from profiler.analysis.counts import Counts
from profiler.analysis.grouping import FunctionKey, by_function
from profiler.analysis.shape import Shape, alphabet, below, joined, upto
from profiler.analysis.tree import Column, Integers
from profiler.model import Profile

_TreeId = tuple[int, int, int]


def tree_id(unit: Profile) -> _TreeId:
    """The same for units that share the columns of their tree."""
    return id(unit.parents), id(unit.node_frames), id(unit.frames)


@dataclass(frozen=True, eq=False)
class Ground:
    """A tree in which all stacks of some units stand, `keys` the functions by their numbers in it.

    `places` has which of its nodes each node of a unit is, by `tree_id`; None where they are the
    same.
    """

    shape: Shape
    keys: Sequence[FunctionKey]
    places: Mapping[_TreeId, NDArray[np.intp] | None]

    @classmethod
    def of(cls, units: Sequence[Profile]) -> Self:
        """Units that share the columns of their tree cost no more than their numbers."""
        different = {tree_id(unit): unit for unit in units}
        tables = {id(unit.frames): unit.frames for unit in different.values()}
        numbers: dict[FunctionKey, int] = {}
        function_of: dict[int, NDArray[np.int32]] = {}
        for table, frames in tables.items():
            keys, function = by_function(frames)
            number = [numbers.setdefault(key, len(numbers)) for key in keys]
            # The root's frame is -1, the last one.
            function_of[table] = np.append(np.array(number, np.int32)[function], np.int32(-1))
        trees = [
            (unit.parents, function_of[id(unit.frames)][unit.node_frames])
            for unit in different.values()
        ]
        made, places = joined(trees, alphabet(tuple(numbers)))
        return cls(made, tuple(numbers), dict(zip(different, places, strict=True)))

    def merged(self, stands_for: Mapping[FunctionKey, FunctionKey]) -> "Ground":
        """With functions that stand for others as these."""
        numbers: dict[FunctionKey, int] = {}
        number = [numbers.setdefault(stands_for.get(key, key), len(numbers)) for key in self.keys]
        functions = np.array([*number, -1], np.int32)[self.shape.functions]
        keys = tuple(numbers)
        made, (moved,) = joined([(self.shape.parents, functions)], alphabet(keys))
        places = {
            tree: moved if place is None else moved[place] for tree, place in self.places.items()
        }
        return Ground(made, keys, places)

    def column(self, unit: Profile, column: Column) -> Column:
        """The samples or values of a unit, by node."""
        place = self.places[tree_id(unit)]
        if place is None:
            return column
        added = np.zeros(len(self.shape), np.int64)
        np.add.at(added, place, column)
        return added

    def sums(self, units: Sequence[Profile]) -> tuple[Column, Column]:
        """Values and samples of all units together, by node."""
        values, samples = np.zeros((2, len(self.shape)), np.int64)
        for unit in units:
            values += self.column(unit, unit.values)
            samples += self.column(unit, unit.samples)
        return values, samples

    def held(self, values: Column, samples: Column) -> NDArray[np.bool_]:
        """The functions that have some."""
        held = np.zeros(len(self.keys) + 1, bool)  # the root's function is -1, the last one
        held[self.shape.functions[below(self.shape, values | samples) != 0]] = True
        return held[:-1]

    @cached_property
    def _by_function(self) -> "_ByFunction":
        return _ByFunction.of(self.shape, len(self.keys))

    def counts(self, units: Sequence[Profile]) -> Counts:
        """A unit at a time, since there may be hundreds of them, and a million nodes."""
        rows = np.zeros((4, len(units), len(self.keys)))
        for row, unit in enumerate(units):
            rows[2:, row] = self._by_function.sums(self.column(unit, unit.samples))
            if unit.period and np.array_equal(unit.values, unit.samples * unit.period):
                rows[:2, row] = rows[2:, row] * unit.period
            else:
                rows[:2, row] = self._by_function.sums(self.column(unit, unit.values))
        self_values, total_values, self_samples, total_samples = rows
        return Counts(
            self_values,
            total_values,
            self_samples,
            total_samples,
            np.array([unit.total_value for unit in units], np.float64),
            np.array([unit.total_samples for unit in units], np.float64),
            np.array([unit.duration_ns for unit in units], np.float64),
            tuple(dict(unit.labels).get("host_name", "") for unit in units),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _ByFunction:
    """What adds a column up by function, as sparse matrices: one pass over the nodes, where a sum
    by number waits for the one before it."""

    selves: sparse.csr_array
    totals: sparse.csr_array
    """Of a column's sums up to each node: those up to the ends of outermost nodes, without those
    up to the nodes."""

    @classmethod
    def of(cls, shape: Shape, functions: int) -> Self:
        nodes, outermost = shape.by_function, shape.outermost
        edges = np.stack([outermost, shape.end[outermost]], axis=1).ravel()
        signs = np.tile(np.array([-1, 1]), len(outermost))
        return cls(
            _rows(
                shape.functions[nodes], nodes, np.ones(len(nodes), np.int64), functions, len(shape)
            ),
            _rows(shape.functions[outermost].repeat(2), edges, signs, functions, len(shape) + 1),
        )

    def sums(self, column: Column) -> tuple[Column, Column]:
        """What each function has itself and in total."""
        return self.selves @ column, self.totals @ upto(column)


def _rows(
    functions: Integers, places: Integers, numbers: Column, rows: int, columns: int
) -> sparse.csr_array:
    """A row a function; the functions of the numbers ascend."""
    ends = np.searchsorted(functions, np.arange(rows + 1))
    return sparse.csr_array((numbers, places, ends), shape=(rows, columns))
