"""Two sides of a comparison in one tree, and what each function costs in each unit of either.

A unit is what was sampled independently of the others: a host in a window, a run. How much units
of one side differ is what a difference between the sides is measured with, so all that is
summed here is summed a unit:

>>> from profiler.formats import folded
>>> both = of([folded.loads(b"main;f 3\\n")], [folded.loads(b"main;f 2\\nmain;g 2\\n")])
>>> [key[0] for key in both.keys], both.sides[1].selves.tolist()
(['main', 'f', 'g'], [[0.0, 2.0, 2.0]])
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from profiler.analysis import matching
from profiler.analysis.forest import Shape, alphabet, below, joined, upto
from profiler.analysis.grouping import FunctionKey, by_function
from profiler.analysis.tree import Column, Integers
from profiler.model import Profile

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


@dataclass(frozen=True, slots=True, eq=False)
class Leaves:
    """A unit's own values where it has any: nodes of the union in order, and the sum up to each."""

    nodes: NDArray[np.intp]
    upto: Column

    @classmethod
    def of(cls, values: Column) -> Self:
        """Of values by node."""
        nodes = np.flatnonzero(values)
        return cls(nodes, np.concatenate([[0], np.cumsum(values[nodes])]))

    def below(self, nodes: NDArray[np.intp], shape: Shape) -> Column:
        """The totals of some nodes."""
        return self._between(nodes, shape.end[nodes])

    def own(self, nodes: NDArray[np.intp]) -> Column:
        """The same without what is below the nodes."""
        return self._between(nodes, nodes + 1)

    def _between(self, nodes: NDArray[np.intp], ends: Integers) -> Column:
        first, last = np.searchsorted(self.nodes, nodes), np.searchsorted(self.nodes, ends)
        sums: Column = self.upto[last] - self.upto[first]
        return sums


_TreeId = tuple[int, int, int]


def tree_id(unit: Profile) -> _TreeId:
    """The same for units that share the columns of their tree."""
    return id(unit.parents), id(unit.node_frames), id(unit.frames)


@dataclass(frozen=True, slots=True, eq=False)
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

    def counts(self, units: Sequence[Profile], by_function: "_ByFunction") -> Counts:
        """A unit at a time, since there may be hundreds of them, and a million nodes."""
        rows = np.zeros((4, len(units), len(self.keys)))
        for row, unit in enumerate(units):
            rows[2:, row] = by_function.sums(self.column(unit, unit.samples))
            if unit.period and np.array_equal(unit.values, unit.samples * unit.period):
                rows[:2, row] = rows[2:, row] * unit.period
            else:
                rows[:2, row] = by_function.sums(self.column(unit, unit.values))
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


@dataclass(frozen=True, eq=False)
class Union:
    """The tree that holds every stack of both sides, `keys` the functions that stand in it.

    `selves` and `self_samples` have a row a side and a column a node. `names` are, by function, the
    names that it has on either side where these differ.
    """

    ground: Ground
    units: tuple[Sequence[Profile], Sequence[Profile]]
    sides: tuple[Counts, Counts]
    selves: NDArray[np.int64]
    self_samples: NDArray[np.int64]
    names: Mapping[int, tuple[str, str]]

    @property
    def shape(self) -> Shape:
        return self.ground.shape

    @property
    def keys(self) -> Sequence[FunctionKey]:
        return self.ground.keys

    def totals(self, side: int) -> Column:
        return below(self.shape, self.selves[side])

    def values(self, side: int) -> Iterator[Column]:
        """Those of each unit of a side, by node."""
        return (self.ground.column(unit, unit.values) for unit in self.units[side])

    @cached_property
    def leaves(self) -> tuple[tuple[Leaves, ...], tuple[Leaves, ...]]:
        """Of each unit of each side."""
        before, after = (tuple(map(Leaves.of, self.values(side))) for side in (0, 1))
        return before, after


def of(
    baseline: Sequence[Profile],
    candidate: Sequence[Profile],
    same: Mapping[FunctionKey, FunctionKey] | None = None,
    ground: Ground | None = None,
) -> Union:
    """Both sides, a profile a unit; functions are matched by `matching`, and those of the union
    that `same` has stand for others of it. `ground` is a tree on which all units stand."""
    units = (baseline, candidate)
    ground = ground or Ground.of([*baseline, *candidate])
    sums = np.array([ground.sums(side) for side in units])
    before, after = (ground.held(*each) for each in sums)
    names: Mapping[int, tuple[str, str]] = {}
    if same or (before != after).any():
        held = (_chosen(ground.keys, before), _chosen(ground.keys, after))
        stands_for = {
            key: (same or {}).get(one, one) for key, one in matching.shared(*held).items()
        }
        if any(key != one for key, one in stands_for.items()):
            ground = ground.merged(stands_for)
            sums = np.array([ground.sums(side) for side in units])
            names = _names(ground.keys, held, stands_for)
    by_function = _ByFunction.of(ground.shape, len(ground.keys))
    sides = (ground.counts(baseline, by_function), ground.counts(candidate, by_function))
    return Union(ground, units, sides, sums[:, 0], sums[:, 1], names)


def _chosen(keys: Sequence[FunctionKey], held: NDArray[np.bool_]) -> set[FunctionKey]:
    return {keys[number] for number in np.flatnonzero(held).tolist()}


def _names(
    keys: Sequence[FunctionKey],
    sides: tuple[set[FunctionKey], set[FunctionKey]],
    stands_for: Mapping[FunctionKey, FunctionKey],
) -> dict[int, tuple[str, str]]:
    """The names of functions that are called otherwise on the other side; several are joined."""
    several = {one for key, one in stands_for.items() if key != one}
    names: dict[FunctionKey, tuple[set[str], set[str]]] = {one: (set(), set()) for one in several}
    for key, one in stands_for.items():
        for side, held in enumerate(sides):
            if one in several and key in held:
                names[one][side].add(key[0])
    return {
        number: (", ".join(sorted(names[key][0])), ", ".join(sorted(names[key][1])))
        for number, key in enumerate(keys)
        if key in several and all(names[key]) and names[key][0] != names[key][1]
    }
