"""Who calls a function, and what it calls: two trees that begin with it.

>>> from profiler.formats import folded
>>> trees = forest.of(folded.loads(b"main;f;g 3\\nmain;h;f 1\\n"))
>>> around = sandwich(trees, "f")
>>> [flamegraph.draw(tree).samples.tolist() for tree in (around.callers, around.callees)]
[[4, 4, 4, 1], [4, 4, 3]]

A stack counts once, from where the function stands in it first: where it calls itself, it is among
its callees and not among its callers. So both trees have the function's total.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from profiler.analysis import top
from profiler.analysis.forest import Forest, Tree
from profiler.analysis.shape import shape
from profiler.analysis.top import FunctionCost
from profiler.analysis.tree import Column, fold
from profiler.model import ROOT


@dataclass(frozen=True, slots=True)
class Sandwich:
    """`callers` is inverted: below a node stand those that call it. `functions` are those that
    were meant, most expensive first."""

    functions: list[FunctionCost]
    callers: Forest
    callees: Forest


def sandwich(
    trees: Forest, function: str, file: str | None = None, binary: str | None = None
) -> Sandwich:
    """Of the functions of a name, or those of them in a file and binary."""
    meant = np.zeros(len(trees.ranks) + 1, bool)  # the root's function is -1, the last one
    meant[list(_meant(trees, function, file, binary))] = True
    starts = [_outermost(tree, meant) for tree in trees.trees]
    pairs = list(zip(trees.trees, starts, strict=True))
    costs = top.costs(trees)
    held = costs.held[meant[costs.held]]
    by_total = held[np.lexsort((trees.ranks[held], -costs.totals[held]))]
    return Sandwich(
        top.rows(trees, costs, by_total),
        replace(trees, trees=tuple(_callers(tree, nodes, trees.ranks) for tree, nodes in pairs)),
        replace(trees, trees=tuple(_callees(tree, nodes, trees.ranks) for tree, nodes in pairs)),
    )


def _meant(trees: Forest, function: str, file: str | None, binary: str | None) -> Iterator[int]:
    for number in range(len(trees.ranks)):
        name, in_file, in_binary, _ = trees.keys[number]
        if name == function and file in (None, in_file) and binary in (None, in_binary):
            yield number


def _outermost(tree: Tree, meant: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The nodes of what is meant that have none of it above them, those with samples."""
    nodes = np.flatnonzero(meant[tree.shape.functions] & tree.held)
    ends = np.maximum.accumulate(tree.shape.end[nodes])
    nested = np.zeros(len(nodes), bool)
    nested[1:] = nodes[1:] < ends[:-1]
    return nodes[~nested]


def _callees(tree: Tree, starts: NDArray[np.intp], ranks: NDArray[np.int32]) -> Tree:
    """What stands below the nodes, as one tree."""
    shape_ = tree.shape
    edges = np.zeros(len(shape_) + 1, np.int32)
    edges[starts] += 1
    np.subtract.at(edges, shape_.end[starts], 1)
    nodes = np.flatnonzero((np.cumsum(edges[:-1]) > 0) & tree.held)
    number = np.zeros(len(shape_), np.int32)  # above a start stands the root
    number[nodes] = np.arange(1, len(nodes) + 1)
    parents = np.concatenate([[-1], number[shape_.parents[nodes]]])
    folded = fold(parents, np.concatenate([[-1], shape_.functions[nodes]]))

    def added(column: Column) -> Column:
        return folded.add(np.concatenate([np.zeros(1, np.int64), column[nodes]]))

    return _tree(
        folded.parents, folded.keys, added(tree.self_values), added(tree.self_samples), ranks
    )


def _callers(tree: Tree, starts: NDArray[np.intp], ranks: NDArray[np.int32]) -> Tree:
    """The ways from the nodes up, as one tree; a way ends, and counts, at the first function.

    All ways go up a step at a time; those that have met in both trees go on as one.
    """
    parents, functions = [np.array([-1], np.int32)], [np.array([-1], np.int32)]
    sums = [np.zeros((2, 1), np.int64)]
    size, width = 1, len(ranks) + 1
    node, at = np.zeros(len(starts), np.int64), starts.astype(np.int64)
    counts = np.stack([tree.totals[starts], tree.samples[starts]])
    while len(at):
        pairs, index = np.unique(node * width + tree.shape.functions[at], return_inverse=True)
        parents.append((pairs // width).astype(np.int32))
        functions.append((pairs % width).astype(np.int32))
        at = tree.shape.parents[at].astype(np.int64)
        ends = at == ROOT
        sums.append(_added(index[ends], counts[:, ends], len(pairs)))
        ways, index = np.unique(
            (size + index[~ends]) * len(tree.shape) + at[~ends], return_inverse=True
        )
        counts = _added(index, counts[:, ~ends], len(ways))
        node, at = np.divmod(ways, len(tree.shape))
        size += len(pairs)
    values, samples = np.concatenate(sums, axis=1)
    return _tree(np.concatenate(parents), np.concatenate(functions), values, samples, ranks)


def _added(index: NDArray[np.intp], counts: Column, size: int) -> Column:
    """Both columns of counts, by index."""
    total = np.zeros((2, size), np.int64)
    for column, added in zip(total, counts, strict=True):
        np.add.at(column, index, added)
    return total


def _tree(
    parents: NDArray[np.int32],
    functions: NDArray[np.int32],
    values: Column,
    samples: Column,
    ranks: NDArray[np.int32],
) -> Tree:
    made, order = shape(parents, functions, ranks)
    return Tree.of(made, values[order], samples[order])
