"""The shape of a tree of functions, in an order in which sums are differences."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from profiler.analysis.grouping import FunctionKey
from profiler.analysis.tree import Column, Integers, depths, fold, levels, preorder
from profiler.model import ROOT

_MOST_SHORT = np.iinfo(np.int16).max

_ROOT_ALONE: Integers = np.full(1, -1, np.int64)


@dataclass(frozen=True, eq=False)
class Shape:
    """Nodes as columns in preorder, siblings by name, node 0 the root (parent, function -1).

    `functions` are numbers that mean the same in all trees, siblings differ in them; what is below
    a node stands from the next one up to, without, its `end`.
    """

    parents: NDArray[np.int32]
    functions: NDArray[np.int32]
    depth: NDArray[np.int32]
    end: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.parents)

    def only(self, chosen: NDArray[np.bool_]) -> "Shape":
        """Some of its nodes, the parent of each among them."""
        nodes = np.flatnonzero(chosen)
        number = np.concatenate([np.zeros(1, np.int32), np.cumsum(chosen, dtype=np.int32)])
        parents = number[self.parents[nodes]]
        parents[ROOT] = -1
        return Shape(parents, self.functions[nodes], self.depth[nodes], number[self.end[nodes]])

    @cached_property
    def by_function(self) -> NDArray[np.intp]:
        """The nodes without the root, those of each function together and in order."""
        return 1 + sorting(self.functions[1:])

    @cached_property
    def outermost(self) -> NDArray[np.intp]:
        """The nodes that have none of the same function above them, without the root.

        Intervals of a preorder nest or are disjoint. So among the nodes of one function, in order,
        a node is nested exactly when it starts before the furthest end seen so far. Adding
        function * size to both keeps the functions apart in one running maximum.
        """
        nodes = self.by_function
        apart = self.functions[nodes].astype(np.int64) * (len(self) + 1)
        furthest = np.maximum.accumulate(apart + self.end[nodes])
        nested = np.zeros(len(nodes), bool)
        nested[1:] = (apart + nodes)[1:] < furthest[:-1]
        return nodes[~nested]


def numbered(functions: Integers, count: int) -> tuple[Integers, NDArray[np.int32]]:
    """Those of so many functions that some nodes are, in order, and the number of each among them;
    the root's, -1, the last entry, stays."""
    is_used = np.zeros(count + 1, bool)
    is_used[functions] = True
    number = np.cumsum(is_used, dtype=np.int32) - np.int32(1)
    number[-1] = -1
    return np.flatnonzero(is_used[:-1]), number


def alphabet(keys: Sequence[FunctionKey]) -> NDArray[np.int32]:
    """The place of each key among all, sorted."""
    ranks = np.empty(len(keys), np.int32)
    ranks[sorted(range(len(keys)), key=keys.__getitem__)] = np.arange(len(keys))
    return ranks


def shape(
    parents: NDArray[np.int32], functions: NDArray[np.int32], ranks: NDArray[np.int32]
) -> tuple[Shape, NDArray[np.intp]]:
    """A tree in preorder, and which of the given nodes each of its nodes is."""
    names = np.concatenate([np.zeros(1, np.int32), ranks[functions[1:]]])
    place = preorder(parents, levels(parents), names)
    order = np.empty(len(parents), np.intp)
    order[place.position] = np.arange(len(parents))
    above = place.position[parents[order]].astype(np.int32)
    above[ROOT] = -1
    depth = depths(parents)[order]
    return Shape(above, functions[order], depth, place.end[order].astype(np.int32)), order


def joined(
    trees: Sequence[tuple[Integers, Integers]], ranks: NDArray[np.int32]
) -> tuple[Shape, list[NDArray[np.intp]]]:
    """Several trees, as parents and functions, as one: equal stacks are one. And for each of them
    which node each of its nodes became."""
    columns, starts = [(_ROOT_ALONE, _ROOT_ALONE)], [1]
    for parents, functions in trees:
        above = parents[1:].astype(np.int64)
        columns.append((np.where(above == ROOT, ROOT, above + starts[-1] - 1), functions[1:]))
        starts.append(starts[-1] + len(above))
    folded = fold(*map(np.concatenate, zip(*columns, strict=True)))
    made, order = shape(folded.parents, folded.keys, ranks)
    position = np.empty(len(order), np.intp)
    position[order] = np.arange(len(order))
    root = np.zeros(1, np.intp)
    return made, [
        np.concatenate([root, position[folded.node_of[start:end]]])
        for start, end in pairwise(starts)
    ]


def sorting(numbers: NDArray[np.int32]) -> NDArray[np.intp]:
    """The places of numbers from -1 on in their order, equal ones as they stand."""
    if numbers.max(initial=0) <= _MOST_SHORT:
        numbers = numbers.astype(np.int16)  # a radix sort, a tenth of the time
    return np.argsort(numbers, kind="stable")


def below(shape: Shape, column: Column) -> Column:
    """A column with everything below each node: in preorder, the difference of two sums."""
    before = upto(column)
    totals: Column = before.take(shape.end) - before[:-1]
    return totals


def between(column: Column, first: NDArray[np.intp], end: Integers) -> Column:
    """The sums of some runs of a column."""
    before = upto(column)
    sums: Column = before.take(end) - before.take(first)
    return sums


def upto(column: Column) -> Column:
    """The sum of what stands before each entry, and before the end."""
    before = np.empty(len(column) + 1, np.int64)
    before[0] = 0
    np.cumsum(column, out=before[1:])
    return before
