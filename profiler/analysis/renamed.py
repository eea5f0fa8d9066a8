"""Functions that only the baseline has and functions that only the candidate has, which are one.

What `matching` cannot tell from a name is told from where the function stands: it has the same
callers, calls the same functions, and costs as much. Where two would do, none is meant.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from profiler.analysis import union
from profiler.analysis.estimate import Ratio, compare
from profiler.analysis.forest import below
from profiler.analysis.gate import MIN_SAMPLES, code
from profiler.analysis.union import Union
from profiler.model import Profile

OVERLAP = 0.8
"""Of the callers, and of what is called, by samples, that both must have in common."""

SAME = 0.01
"""Costs that differ more than they would by chance so often are not those of one function."""

_ITSELF = -2
"""Stands for the function among its own callers and callees, and for its own code."""


def union_of(baseline: Sequence[Profile], candidate: Sequence[Profile]) -> Union:
    """Both sides in one tree, in which a function that has another name now is one."""
    both = union.of(baseline, candidate)
    same = {both.keys[was]: both.keys[now] for now, was in pairs(both).items()}
    return union.of(baseline, candidate, same) if same else both


def pairs(both: Union) -> dict[int, int]:
    """The function that each new one was."""
    counts = [side.samples_of("total") for side in both.sides]
    real = code(both.keys)
    gone, new = (
        np.flatnonzero(real & (counts[side] >= MIN_SAMPLES) & (counts[1 - side] == 0)).tolist()
        for side in (0, 1)
    )
    if not gone or not new:
        return {}
    samples = [below(both.shape, column) for column in both.self_samples]
    before = {function: _Place.of(both, 0, samples[0], function) for function in gone}
    after = {function: _Place.of(both, 1, samples[1], function) for function in new}
    found: dict[int, list[int]] = {
        function: [
            was for was in gone if place.like(before[was]) and _cost_alike(both, was, function)
        ]
        for function, place in after.items()
    }
    taken = [was for those in found.values() for was in those]
    return {
        function: those[0]
        for function, those in found.items()
        if len(those) == 1 and taken.count(those[0]) == 1
    }


Weights = dict[int, float]


@dataclass(frozen=True, slots=True)
class _Place:
    """By whom a function is called, and what its samples are in: parts of its samples."""

    callers: Weights
    callees: Weights

    @classmethod
    def of(cls, both: Union, side: int, totals: NDArray[np.int64], function: int) -> "_Place":
        shape = both.shape
        nodes = np.flatnonzero((shape.functions == function) & (totals > 0))
        children = np.flatnonzero(np.isin(shape.parents, nodes) & (totals > 0))
        callers = _weights(shape.functions[shape.parents[nodes]], totals[nodes], function)
        own = int(both.self_samples[side][nodes].sum())
        functions = np.append(shape.functions[children], function)
        return cls(callers, _weights(functions, np.append(totals[children], own), function))

    def like(self, other: "_Place") -> bool:
        around = ((self.callers, other.callers), (self.callees, other.callees))
        return all(_common(one, another) > OVERLAP for one, another in around)


def _weights(functions: NDArray[np.int32], counts: NDArray[np.int64], itself: int) -> Weights:
    found: Weights = {}
    for function, count in zip(functions.tolist(), counts.tolist(), strict=True):
        number = _ITSELF if function == itself else function
        found[number] = found.get(number, 0.0) + count / max(int(counts.sum()), 1)
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
