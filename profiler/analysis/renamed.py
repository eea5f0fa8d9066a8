"""Functions that only the baseline has and functions that only the candidate has, which are one.

What `matching` cannot tell from a name is told from where the function stands: it has the same
callers, calls the same functions, and costs as much. Where two would do, none is meant.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from profiler.analysis import union
from profiler.analysis.estimate import Ratio, compare
from profiler.analysis.gate import MIN_SAMPLES, code
from profiler.analysis.ground import Ground
from profiler.analysis.shape import Shape, below, sorting
from profiler.analysis.tree import Column
from profiler.analysis.union import Union
from profiler.model import Profile

OVERLAP = 0.7
"""Of the callers, and of what is called, by samples, that both must have in common."""

SAME = 0.01
"""Costs that differ more than they would by chance so often are not those of one function."""

_ITSELF = -2
"""Stands for the function among its own callers and callees, and for its own code."""


def union_of(
    baseline: Sequence[Profile], candidate: Sequence[Profile], ground: Ground | None = None
) -> Union:
    """Both sides in one tree, in which a function that has another name now is one. `ground` is a
    tree on which all units stand."""
    ground = ground or Ground.of([*baseline, *candidate])
    both = union.of(baseline, candidate, ground=ground)
    same = {both.keys[was]: both.keys[now] for now, was in pairs(both).items()}
    return union.of(baseline, candidate, same, ground) if same else both


def pairs(both: Union) -> dict[int, int]:
    """The function that each new one was."""
    counts = [side.samples_of("total") for side in both.sides]
    alone = [(counts[side] >= MIN_SAMPLES) & (counts[1 - side] == 0) for side in (0, 1)]
    if not all(one.any() for one in alone):
        return {}
    real = code(both.keys)
    gone, new = (np.flatnonzero(real & one).tolist() for one in alone)
    before, after = (
        {function: _Place.of(inside, function) for function in those}
        for inside, those in ((_Side.of(both, 0), gone), (_Side.of(both, 1), new))
    )
    known = _Known.of(before)
    found: dict[int, list[int]] = {
        function: [
            was
            for was in known.candidates(place)
            if place.like(before[was]) and _cost_alike(both, was, function)
        ]
        for function, place in after.items()
    }
    taken = Counter(was for those in found.values() for was in those)
    return {
        function: those[0]
        for function, those in found.items()
        if len(those) == 1 and taken[those[0]] == 1
    }


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """One side's totals and own samples by node; its nodes by function, and by parent."""

    shape: Shape
    totals: Column
    selves: Column
    by_function: "_Index"
    by_parent: "_Index"

    @classmethod
    def of(cls, both: Union, side: int) -> Self:
        shape, selves = both.shape, both.self_samples[side]
        totals = below(shape, selves)
        nodes = 1 + np.flatnonzero(totals[1:] > 0)
        by_function, by_parent = (
            _Index.of(nodes, column[nodes], count)
            for column, count in ((shape.functions, len(both.keys)), (shape.parents, len(shape)))
        )
        return cls(shape, totals, selves, by_function, by_parent)


@dataclass(frozen=True, slots=True, eq=False)
class _Index:
    """Nodes by a number that each has: those of a number stand from its start to the next."""

    nodes: NDArray[np.intp]
    starts: list[int]

    @classmethod
    def of(cls, nodes: NDArray[np.intp], numbers: NDArray[np.int32], count: int) -> Self:
        """`count`: all numbers are less."""
        starts = np.concatenate([[0], np.cumsum(np.bincount(numbers, minlength=count))])
        return cls(nodes[sorting(numbers)], starts.tolist())

    def __getitem__(self, number: int) -> NDArray[np.intp]:
        return self.nodes[self.starts[number] : self.starts[number + 1]]


Weights = dict[int, float]


@dataclass(frozen=True, slots=True)
class _Place:
    """By whom a function is called, and what its samples are in: parts of its samples."""

    callers: Weights
    callees: Weights

    @classmethod
    def of(cls, side: _Side, function: int) -> Self:
        shape, totals = side.shape, side.totals
        nodes = side.by_function[function]
        children = np.concatenate([side.by_parent[node] for node in nodes.tolist()])
        callers = _weights(shape.functions[shape.parents[nodes]], totals[nodes], function)
        own = int(side.selves[nodes].sum())
        functions = np.append(shape.functions[children], function)
        return cls(callers, _weights(functions, np.append(totals[children], own), function))

    def like(self, other: "_Place") -> bool:
        around = ((self.callers, other.callers), (self.callees, other.callees))
        return all(_common(one, another) > OVERLAP for one, another in around)


@dataclass(frozen=True, slots=True)
class _Known:
    """Functions by each of their callers and callees. What is like another has one of any of its
    in common with it that are together more than may differ: of those that fewest others have."""

    by_caller: dict[int, set[int]]
    by_callee: dict[int, set[int]]

    @classmethod
    def of(cls, places: Mapping[int, _Place]) -> Self:
        found = cls(defaultdict(set), defaultdict(set))
        for function, place in places.items():
            for index, weights in (
                (found.by_caller, place.callers),
                (found.by_callee, place.callees),
            ):
                for number in weights:
                    index[number].add(function)
        return found

    def candidates(self, place: _Place) -> list[int]:
        callers = _sharing(self.by_caller, place.callers)
        return sorted(callers & _sharing(self.by_callee, place.callees)) if callers else []


def _sharing(index: Mapping[int, set[int]], weights: Weights) -> set[int]:
    found: set[int] = set()
    covered = 0.0
    for number in sorted(weights, key=lambda number: len(index.get(number, ()))):
        found |= index.get(number, set())
        covered += weights[number]
        if covered > 1 - OVERLAP:
            break
    return found


def _weights(functions: NDArray[np.int32], counts: NDArray[np.int64], itself: int) -> Weights:
    found: Weights = {}
    whole = max(int(counts.sum()), 1)
    for function, count in zip(functions.tolist(), counts.tolist(), strict=True):
        number = _ITSELF if function == itself else function
        found[number] = found.get(number, 0.0) + count / whole
    return found


def _common(one: Weights, other: Weights) -> float:
    return sum(min(part, other.get(number, 0.0)) for number, part in one.items())


def _cost_alike(both: Union, was: int, now: int) -> bool:
    sides: Sequence[tuple[int, int]] = ((0, was), (1, now))
    ratios = []
    for side, function in sides:
        counts = both.sides[side]
        x = counts.totals[:, [function]]
        share = float(x.sum() / counts.whole.sum())
        floor = share**2 / max(int(counts.total_samples[:, function].sum()), 1)
        ratios.append(Ratio.of(x, counts.whole, floor))
    difference = compare(*ratios)
    difference = difference.with_variance(
        np.maximum(difference.variance, difference.floor), difference.freedom
    )
    return bool(difference.differs()[0] > SAME)
