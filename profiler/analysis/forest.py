"""Several trees of functions as one: what a fleet's services have in common is drawn once.

A tree of each service is cheap to sum up and millions of nodes are dear to merge. So they are
merged from the root down, and only where a node can still be among the largest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from profiler.analysis.grouping import FunctionKey, by_function
from profiler.analysis.tree import Column, depths, fold, levels, sums
from profiler.model import ROOT, Frame, Profile, ProfileType


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """Nodes as columns, parents before their children, node 0 the root (parent, function -1).

    `functions` are numbers that mean the same in all trees, siblings differ in them; `totals` and
    `samples` hold what is below a node, `self_values` not.
    """

    parents: NDArray[np.int32]
    functions: NDArray[np.int32]
    depth: NDArray[np.int32]
    self_values: Column
    totals: Column
    samples: Column


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """Trees of one profile type; of each function its key, and a frame that shows it."""

    trees: tuple[Tree, ...]
    keys: Sequence[FunctionKey]
    frames: Sequence[Frame]
    type: ProfileType

    @property
    def nodes(self) -> int:
        """Of all trees, whose roots are one; those that they have in common count in each."""
        return 1 + sum(len(tree.parents) - 1 for tree in self.trees)


def of(profile: Profile) -> Forest:
    """One tree. Frames of the same function, file, binary and kind become one function, shown by
    the first of them."""
    keys, function_of = by_function(profile.frames)
    functions = np.full(len(profile.parents), -1, np.int32)
    functions[1:] = function_of[profile.node_frames[1:]]
    folded = fold(profile.parents, functions)
    levels_down = levels(folded.parents)
    self_values = folded.add(profile.values)
    tree = Tree(
        parents=folded.parents,
        functions=folded.keys,
        depth=depths(folded.parents),
        self_values=self_values,
        totals=sums(self_values, folded.parents, levels_down),
        samples=sums(folded.add(profile.samples), folded.parents, levels_down),
    )
    _, first = np.unique(function_of, return_index=True)
    shown = [profile.frames[frame] for frame in first.tolist()]
    return Forest((tree,), keys, shown, profile.type)


def merged(trees: Sequence[Tree], largest: int) -> tuple[Tree, Column]:
    """One tree that has at least the `largest` nodes of the largest totals, and of how many nodes
    each of its nodes is made."""
    if len(trees) == 1:
        return trees[0], np.ones(len(trees[0].parents), np.int64)
    joined = _joined(trees)
    floor = _floor(joined.totals, largest * len(trees))
    width = int(joined.functions.max(initial=0)) + 1
    number_of = np.full(len(joined.parents), -1, np.int64)
    number_of[ROOT] = ROOT
    keys, size = [np.array([-1])], 1
    for row in rows(joined.depth)[1:]:
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


def rows(depth: NDArray[np.int32]) -> list[NDArray[np.intp]]:
    """The nodes of each depth, from [root] down."""
    order = np.argsort(depth.astype(np.int16), kind="stable")  # a radix sort, 10 ns a node
    return np.split(order, np.cumsum(np.bincount(depth))[:-1])


def _joined(trees: Sequence[Tree]) -> Tree:
    """All nodes side by side below one root."""
    first = trees[0]
    parents, before = [first.parents], len(first.parents) - 1
    for tree in trees[1:]:
        above = tree.parents[1:]
        parents.append(np.where(above == ROOT, ROOT, above + np.int32(before)))
        before += len(above)
    columns = {
        name: np.concatenate(
            [getattr(first, name), *(getattr(tree, name)[1:] for tree in trees[1:])]
        )
        for name in ("functions", "depth", "self_values", "totals", "samples")
    }
    for name in ("self_values", "totals", "samples"):
        columns[name][ROOT] = sum(int(getattr(tree, name)[ROOT]) for tree in trees)
    return Tree(np.concatenate(parents), **columns)


def _floor(totals: Column, count: int) -> int:
    """What at least `count` of the totals reach. If they are of n trees, then count / n nodes of
    the merged tree do."""
    beyond = len(totals) - count
    return int(np.partition(totals, beyond)[beyond]) if beyond > 0 else 0


def _folded(joined: Tree, number_of: Column, keys: Column, width: int) -> tuple[Tree, Column]:
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
    columns = (joined.self_values, joined.totals, joined.samples)
    tree = Tree(parents, functions, depth, *map(added, columns))
    return tree, added(np.ones(len(joined.parents), np.int64))
