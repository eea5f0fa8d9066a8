"""The table of functions: what each costs itself, and with everything that it calls."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from profiler.analysis import grouping
from profiler.analysis.tree import Column, levels, preorder, sums
from profiler.model import Kind, Profile


@dataclass(frozen=True, slots=True)
class FunctionCost:
    """One function's cost, in the unit of the profile's type and in samples.

    `total_*` counts a stack once, however often the function stands in it.
    """

    function: str
    file: str
    binary: str
    kind: Kind
    self_value: int
    total_value: int
    self_samples: int
    total_samples: int


def functions(profile: Profile) -> list[FunctionCost]:
    """Every function of the profile, the most expensive itself first; threads are none."""
    keys, function_of = grouping.by_function(profile.frames)
    nodes = np.flatnonzero(_is_code(profile))
    function = function_of[profile.node_frames[nodes]]
    rows = levels(profile.parents)
    outermost = _outermost(profile, nodes, function, rows)

    def by_function(column: Column, which: NDArray[np.intp] | slice) -> list[int]:
        result = np.zeros(len(keys), np.int64)
        np.add.at(result, function[which], column[nodes[which]])
        return result.tolist()

    everywhere = slice(None)
    columns = zip(
        keys,
        by_function(profile.values, everywhere),
        by_function(sums(profile.values, profile.parents, rows), outermost),
        by_function(profile.samples, everywhere),
        by_function(sums(profile.samples, profile.parents, rows), outermost),
        strict=True,
    )
    used = np.isin(np.arange(len(keys)), function).tolist()
    costs = [
        FunctionCost(*key, *numbers)
        for (key, *numbers), seen in zip(columns, used, strict=True)
        if seen
    ]
    return sorted(costs, key=_rank)


def _rank(cost: FunctionCost) -> tuple[int, int, str, str, str]:
    return -cost.self_value, -cost.total_value, cost.function, cost.file, cost.binary


def _is_code(profile: Profile) -> NDArray[np.bool_]:
    """Which nodes are functions: all but the root and those of threads' names."""
    threads = np.array([frame.kind is Kind.THREAD for frame in profile.frames], bool)
    code = profile.node_frames >= 0
    code[code] = ~threads[profile.node_frames[code]]
    return code


def _outermost(
    profile: Profile,
    nodes: NDArray[np.intp],
    function: NDArray[np.int32],
    rows: list[NDArray[np.intp]],
) -> NDArray[np.intp]:
    """Indexes into `nodes` of those that have none of the same function above them.

    In preorder a subtree is an interval, and intervals nest or are disjoint. So among the nodes
    of one function, in order, a node is nested exactly when it starts before the furthest end
    seen so far. Adding function * size to both keeps the functions apart in one running maximum.
    """
    place = preorder(profile.parents, rows)
    apart = function.astype(np.int64) * (len(profile.parents) + 1)
    start, end = apart + place.position[nodes], apart + place.end[nodes]
    order = np.argsort(start)
    furthest = np.maximum.accumulate(end[order])
    nested = np.zeros(len(nodes), bool)
    nested[1:] = start[order][1:] < furthest[:-1]
    return order[~nested]
