"""The samples of a selection as trees of functions, one an epoch of a scope."""

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from profiler.analysis.forest import Forest, Tree
from profiler.model import ROOT
from server.query.function_tree import FunctionTree, FunctionTrees
from server.query.selection import Selection
from server.query.sums import add_up

Column = NDArray[np.int64]


_ROOT_ALONE = Tree(
    parents=np.full(1, -1, np.int32),
    functions=np.full(1, -1, np.int32),
    depth=np.zeros(1, np.int32),
    self_values=np.zeros(1, np.int64),
    totals=np.zeros(1, np.int64),
    samples=np.zeros(1, np.int64),
)


def forest(transaction: sa.Connection, trees: FunctionTrees, selection: Selection) -> Forest:
    sums = add_up(transaction, selection)
    found, keys, functions = trees.of(transaction, sums.columns)
    made = tuple(
        _tree(tree, *columns.of(log, len(tree.node_of)))
        for tree, (log, columns) in zip(found, sums.columns.items(), strict=True)
    )
    return Forest(made or (_ROOT_ALONE,), keys, functions, selection.type)


def _tree(tree: FunctionTree, samples: Column, values: Column) -> Tree:
    """Only what has samples somewhere below."""
    self_values, totals = tree.sums(values)
    _, all_samples = tree.sums(samples)
    held = (totals | all_samples) != 0
    held[ROOT] = True
    kept = np.flatnonzero(held)
    number = np.zeros(len(tree.parents), np.int32)
    number[kept] = np.arange(len(kept))
    parents = number[tree.parents[kept]]
    parents[ROOT] = -1
    return Tree(
        parents=parents,
        functions=tree.functions[kept],
        depth=tree.depth[kept],
        self_values=self_values[kept],
        totals=totals[kept],
        samples=all_samples[kept],
    )
