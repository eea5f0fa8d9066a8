"""Two sides of a comparison in one tree, and what each function costs in each unit of either.

A unit is what was sampled independently of the others: a host in a window, a run. How much units
of one side differ is what a difference between the sides is measured with, so all that is
summed here is summed a unit:

>>> from profiler.formats import folded
>>> both = of([folded.loads(b"main;f 3\\n")], [folded.loads(b"main;f 2\\nmain;g 2\\n")])
>>> [key[0] for key in both.keys], both.sides[1].selves.tolist()
(['main', 'f', 'g'], [[0.0, 2.0, 2.0]])
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from profiler.analysis import matching
from profiler.analysis.forest import Shape, alphabet, below, shape
from profiler.analysis.grouping import FunctionKey, by_function
from profiler.analysis.tree import Column, fold
from profiler.model import ROOT, Profile

_ROOT = np.full(1, -1, np.int64)

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

    def below(self, nodes: NDArray[np.intp], shape: Shape) -> Column:
        """The totals of some nodes."""
        ends = np.searchsorted(self.nodes, shape.end[nodes])
        totals: Column = self.upto[ends] - self.upto[np.searchsorted(self.nodes, nodes)]
        return totals

    def own(self, nodes: NDArray[np.intp]) -> Column:
        """The same without what is below the nodes."""
        ends = np.searchsorted(self.nodes, nodes + 1)
        selves: Column = self.upto[ends] - self.upto[np.searchsorted(self.nodes, nodes)]
        return selves


@dataclass(frozen=True, slots=True, eq=False)
class Union:
    """The tree that holds every stack of both sides, `keys` the functions that stand in it.

    `selves` and `self_samples` have a row a side and a column a node. `leaves` are those of each
    unit of each side. `names` are, by function, the names that it has on either side where these
    differ.
    """

    shape: Shape
    keys: Sequence[FunctionKey]
    selves: NDArray[np.int64]
    self_samples: NDArray[np.int64]
    sides: tuple[Counts, Counts]
    leaves: tuple[tuple[Leaves, ...], tuple[Leaves, ...]]
    names: Mapping[int, tuple[str, str]]

    def totals(self, side: int) -> Column:
        return below(self.shape, self.selves[side])


def of(
    baseline: Sequence[Profile],
    candidate: Sequence[Profile],
    same: Mapping[FunctionKey, FunctionKey] | None = None,
) -> Union:
    """Both sides, a profile a unit; functions are matched by `matching`, and those of the union
    that `same` has stand for others of it.

    Units that share the columns of their tree, as those that a server makes of hosts, cost no more
    than their numbers.
    """
    trees = _Trees.of([*baseline, *candidate])
    before, after = trees.functions(baseline), trees.functions(candidate)
    matched = matching.shared(before, after)
    stands_for = {key: (same or {}).get(one, one) for key, one in matched.items()}
    numbers: dict[FunctionKey, int] = {}
    for keys, _ in trees.frames.values():
        for key in keys:
            numbers.setdefault(stands_for[key], len(numbers))
    made, places = trees.joined(lambda key: numbers[stands_for[key]], tuple(numbers))
    sides = [_side(made, len(numbers), units, places) for units in (baseline, candidate)]
    return Union(
        made,
        tuple(numbers),
        np.array([side.selves for side in sides]),
        np.array([side.self_samples for side in sides]),
        (sides[0].counts, sides[1].counts),
        (sides[0].leaves, sides[1].leaves),
        _names(numbers, (before, after), stands_for),
    )


_TreeId = tuple[int, int, int]


def _tree_id(unit: Profile) -> _TreeId:
    """The same for units that share the columns of their tree."""
    return id(unit.parents), id(unit.node_frames), id(unit.frames)


@dataclass(frozen=True, slots=True, eq=False)
class _Trees:
    """The different trees of some units, one of the units of each, and their functions."""

    units: Mapping[_TreeId, Profile]
    frames: Mapping[int, tuple[list[FunctionKey], NDArray[np.int32]]]

    @classmethod
    def of(cls, units: Sequence[Profile]) -> Self:
        different = {_tree_id(unit): unit for unit in units}
        frames = {id(unit.frames): unit.frames for unit in different.values()}
        return cls(different, {number: by_function(one) for number, one in frames.items()})

    def functions(self, units: Sequence[Profile]) -> set[FunctionKey]:
        numbers = {id(unit.frames) for unit in units}
        return {key for number in numbers for key in self.frames[number][0]}

    def joined(
        self, number: Callable[[FunctionKey], int], keys: Sequence[FunctionKey]
    ) -> tuple[Shape, Mapping[_TreeId, NDArray[np.intp]]]:
        """One tree, and for each of the trees the node of each of its nodes. `number` is that of
        a function among `keys`."""
        parents, functions, starts = [_ROOT], [_ROOT], [1]
        for unit in self.units.values():
            above = unit.parents[1:].astype(np.int64)
            parents.append(np.where(above == ROOT, ROOT, above + starts[-1] - 1))
            known, function_of = self.frames[id(unit.frames)]
            numbers = np.array([number(key) for key in known], np.int64)
            functions.append(numbers[function_of[unit.node_frames[1:]]])
            starts.append(starts[-1] + len(above))
        folded = fold(np.concatenate(parents), np.concatenate(functions))
        made, order = shape(folded.parents, folded.keys, alphabet(keys))
        position = np.empty(len(order), np.intp)
        position[order] = np.arange(len(order))
        root = np.zeros(1, np.intp)
        return made, {
            tree: np.concatenate([root, position[folded.node_of[start:end]]])
            for tree, (start, end) in zip(self.units, pairwise(starts), strict=True)
        }


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    counts: Counts
    leaves: tuple[Leaves, ...]
    selves: Column
    self_samples: Column


def _side(
    shape: Shape,
    functions: int,
    units: Sequence[Profile],
    places: Mapping[_TreeId, NDArray[np.intp]],
) -> _Side:
    """A unit at a time, since there may be hundreds of them, and a million nodes."""
    selves, self_samples = np.zeros((2, len(shape)), np.int64)
    rows = np.zeros((4, len(units), functions))
    leaves = []
    for unit_rows, unit in zip(rows.swapaxes(0, 1), units, strict=True):
        place = places[_tree_id(unit)]
        values, samples = np.zeros((2, len(shape)), np.int64)
        np.add.at(values, place, unit.values)
        np.add.at(samples, place, unit.samples)
        selves += values
        self_samples += samples
        unit_rows[:2] = _by_function(shape, values, functions)
        unit_rows[2:] = _by_function(shape, samples, functions)
        nodes = np.flatnonzero(values)
        leaves.append(Leaves(nodes, np.concatenate([[0], np.cumsum(values[nodes])])))
    self_values, total_values, self_counts, total_counts = rows
    counts = Counts(
        self_values,
        total_values,
        self_counts,
        total_counts,
        np.array([unit.total_value for unit in units], np.float64),
        np.array([unit.total_samples for unit in units], np.float64),
        np.array([unit.duration_ns for unit in units], np.float64),
        tuple(dict(unit.labels).get("host_name", "") for unit in units),
    )
    return _Side(counts, tuple(leaves), selves, self_samples)


def _by_function(shape: Shape, column: Column, functions: int) -> tuple[Column, Column]:
    """What each function has itself and in total."""
    selves, totals = np.zeros((2, functions), np.int64)
    np.add.at(selves, shape.functions[1:], column[1:])
    outermost = shape.outermost
    np.add.at(totals, shape.functions[outermost], below(shape, column)[outermost])
    return selves, totals


def _names(
    numbers: Mapping[FunctionKey, int],
    sides: tuple[set[FunctionKey], set[FunctionKey]],
    stands_for: Mapping[FunctionKey, FunctionKey],
) -> dict[int, tuple[str, str]]:
    """The names of functions that are called otherwise on the other side; several are joined."""
    names: dict[int, tuple[set[str], set[str]]] = {}
    for key, one in stands_for.items():
        for side in (0, 1):
            if key in sides[side]:
                names.setdefault(numbers[one], (set(), set()))[side].add(key[0])
    return {
        number: (", ".join(sorted(before)), ", ".join(sorted(after)))
        for number, (before, after) in names.items()
        if before and after and before != after
    }
