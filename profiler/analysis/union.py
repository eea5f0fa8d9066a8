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
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from profiler.analysis import matching
from profiler.analysis.counts import Counts
from profiler.analysis.ground import Ground
from profiler.analysis.grouping import FunctionKey
from profiler.analysis.shape import Shape, below
from profiler.analysis.tree import Column, Integers
from profiler.model import Profile


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
    sides = (ground.counts(baseline), ground.counts(candidate))
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
