"""Several trees of functions as one: what a fleet's services have in common is drawn once.

A tree of each service is cheap to sum up and millions of nodes are dear to merge. So they are
merged from the root down, and only where a node can still be among the largest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from profiler.analysis.frames import FrameTable
from profiler.analysis.grouping import FunctionKey, by_function
from profiler.analysis.shape import Shape, alphabet, below, shape
from profiler.analysis.tree import Column, Integers, fold
from profiler.model import ROOT, Profile, ProfileType


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """`totals` and `samples` hold what is below a node, `self_values` and `self_samples` not."""

    shape: Shape
    self_values: Column
    self_samples: Column
    totals: Column
    samples: Column

    @classmethod
    def of(cls, shape: Shape, self_values: Column, self_samples: Column) -> Self:
        values, samples = below(shape, self_values), below(shape, self_samples)
        return cls(shape, self_values, self_samples, values, samples)

    @property
    def held(self) -> NDArray[np.bool_]:
        """The root, and the nodes that have samples or values."""
        found: NDArray[np.bool_] = (self.totals | self.samples) != 0
        found[ROOT] = True
        return found

    def only(self, chosen: NDArray[np.bool_]) -> "Tree":
        """A tree of some of its nodes, the parent of each among them."""
        sums = (self.self_values, self.self_samples, self.totals, self.samples)
        return Tree(self.shape.only(chosen), *(column[chosen] for column in sums))


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """Trees of one profile type; of each function its key, its place in the alphabet, and a frame
    that shows it."""

    trees: tuple[Tree, ...]
    keys: Sequence[FunctionKey]
    ranks: NDArray[np.int32]
    frames: FrameTable
    type: ProfileType

    @property
    def nodes(self) -> int:
        """Of all trees, whose roots are one; those that they have in common count in each."""
        return 1 + sum(int(np.count_nonzero(tree.held)) - 1 for tree in self.trees)

    @property
    def total(self) -> tuple[int, int]:
        """(value, samples)"""
        return (
            sum(int(tree.totals[ROOT]) for tree in self.trees),
            sum(int(tree.samples[ROOT]) for tree in self.trees),
        )


def of(profile: Profile) -> Forest:
    """One tree. Frames of the same function, file, binary and kind become one function, shown by
    the first of them."""
    keys, function_of = by_function(profile.frames)
    functions = np.full(len(profile.parents), -1, np.int32)
    functions[1:] = function_of[profile.node_frames[1:]]
    folded = fold(profile.parents, functions)
    ranks = alphabet(keys)
    made, order = shape(folded.parents, folded.keys, ranks)
    tree = Tree.of(made, folded.add(profile.values)[order], folded.add(profile.samples)[order])
    _, first = np.unique(function_of, return_index=True)
    shown = FrameTable(profile.frames[frame] for frame in first.tolist())
    return Forest((tree,), keys, ranks, shown, profile.type)


def largest(trees: Forest, count: int) -> tuple[Tree, int]:
    """All trees as one, with the `count` nodes of the largest totals, and how many nodes of the
    trees these are. Of equal totals the higher nodes stay, so that each has its parent."""
    if len(trees.trees) == 1:
        (tree,) = trees.trees
        chosen = _largest(tree.totals, tree.shape.depth, tree.held, count)
        return tree.only(chosen), int(np.count_nonzero(chosen))
    merged, weights = _merged(trees, count)
    held = np.ones(len(merged.totals), bool)
    nodes = np.flatnonzero(_largest(merged.totals, merged.depth, held, count))
    number = np.full(len(merged.totals), -1, np.int32)
    number[nodes] = np.arange(len(nodes))
    parents = number[merged.parents[nodes]]
    parents[ROOT] = -1
    made, order = shape(parents, merged.functions[nodes], trees.ranks)
    order = nodes[order]
    sums = (merged.self_values, merged.self_samples, merged.totals, merged.samples)
    return Tree(made, *(column[order] for column in sums)), int(weights[nodes].sum())


def _largest(
    totals: Column, depth: NDArray[np.int32], held: NDArray[np.bool_], count: int
) -> NDArray[np.bool_]:
    """Which are among the `count` largest of those that are held."""
    if np.count_nonzero(held) <= count:
        return held
    least = np.partition(totals, len(totals) - count)[len(totals) - count]
    chosen: NDArray[np.bool_] = totals > least
    equal = np.flatnonzero((totals == least) & held)
    higher = np.argsort(depth[equal], kind="stable")
    chosen[equal[higher[: count - np.count_nonzero(chosen)]]] = True
    return chosen


@dataclass(frozen=True, slots=True, eq=False)
class _Joined:
    """Nodes as columns, parents before their children, in no other order."""

    parents: NDArray[np.int32]
    functions: NDArray[np.int32]
    depth: NDArray[np.int32]
    self_values: Column
    self_samples: Column
    totals: Column
    samples: Column


def _merged(trees: Forest, largest: int) -> tuple[_Joined, Column]:
    """One tree that has at least the `largest` nodes of the largest totals, and of how many nodes
    each of its nodes is made."""
    joined = _joined([tree.only(tree.held) for tree in trees.trees])
    floor = _floor(joined.totals, largest * len(trees.trees))
    width = int(joined.functions.max(initial=0)) + 1
    number_of = np.full(len(joined.parents), -1, np.int64)
    number_of[ROOT] = ROOT
    keys, size = [np.array([-1])], 1
    for row in _rows(joined.depth)[1:]:
        parents = number_of[joined.parents[row]]
        row, parents = row[parents >= 0], parents[parents >= 0]
        pairs, index = np.unique(parents * width + joined.functions[row], return_inverse=True)
        totals = np.zeros(len(pairs), np.int64)
        np.add.at(totals, index, joined.totals[row])
        large = totals >= floor
        number_of[row] = np.where(large, size + np.cumsum(large) - 1, -1)[index]
        keys.append(pairs[large])
        size += int(np.count_nonzero(large))
    return _folded(joined, number_of, np.concatenate(keys), width)


def _rows(depth: NDArray[np.int32]) -> list[NDArray[np.intp]]:
    """The nodes of each depth, from [root] down."""
    order = np.argsort(depth.astype(np.int16), kind="stable")  # a radix sort, 10 ns a node
    return np.split(order, np.cumsum(np.bincount(depth))[:-1])


def _joined(trees: Sequence[Tree]) -> _Joined:
    """All nodes side by side below one root."""
    parents, before = [np.full(1, -1, np.int32)], 0
    for tree in trees:
        above = tree.shape.parents[1:]
        parents.append(np.where(above == ROOT, ROOT, above + np.int32(before)))
        before += len(above)

    def beside(columns: Sequence[Integers]) -> Column:
        root = [sum(int(column[ROOT]) for column in columns)]
        return np.concatenate([root, *(column[1:] for column in columns)])

    def shared(columns: Sequence[NDArray[np.int32]]) -> NDArray[np.int32]:
        return np.concatenate([columns[0][:1], *(column[1:] for column in columns)])

    return _Joined(
        np.concatenate(parents),
        shared([tree.shape.functions for tree in trees]),
        shared([tree.shape.depth for tree in trees]),
        beside([tree.self_values for tree in trees]),
        beside([tree.self_samples for tree in trees]),
        beside([tree.totals for tree in trees]),
        beside([tree.samples for tree in trees]),
    )


def _floor(totals: Column, count: int) -> int:
    """What at least `count` of the totals reach. If they are of n trees, then count / n nodes of
    the merged tree do."""
    beyond = len(totals) - count
    return int(np.partition(totals, beyond)[beyond]) if beyond > 0 else 0


def _folded(joined: _Joined, number_of: Column, keys: Column, width: int) -> tuple[_Joined, Column]:
    kept = np.flatnonzero(number_of >= 0)
    numbers = number_of[kept]

    def added(column: Column) -> Column:
        total = np.zeros(len(keys), np.int64)
        np.add.at(total, numbers, column[kept])
        return total

    depth = np.zeros(len(keys), np.int32)
    depth[numbers] = joined.depth[kept]
    parents, functions = (column.astype(np.int32) for column in divmod(keys, width))
    functions[ROOT] = -1
    columns = (joined.self_values, joined.self_samples, joined.totals, joined.samples)
    tree = _Joined(parents, functions, depth, *map(added, columns))
    return tree, added(np.ones(len(joined.parents), np.int64))
