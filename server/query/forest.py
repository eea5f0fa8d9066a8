"""The samples of a selection as trees of functions, one an epoch of a scope."""

import numpy as np
import sqlalchemy as sa

from profiler.analysis.forest import Forest, Shape, Tree
from server.query.function_tree import FunctionTrees
from server.query.selection import Selection
from server.query.sums import add_up

_NOTHING = np.zeros(1, np.int64)

_ROOT = np.full(1, -1, np.int32)

_ROOT_ALONE = Tree.of(
    Shape(_ROOT, _ROOT, np.zeros(1, np.int32), np.ones(1, np.int32)), _NOTHING, _NOTHING
)


def forest(transaction: sa.Connection, trees: FunctionTrees, selection: Selection) -> Forest:
    sums = add_up(transaction, selection)
    found = trees.of(transaction, sums.columns)
    made = tuple(
        tree.sums(*columns.of(log, len(tree.node_of)), sums.period)
        for tree, (log, columns) in zip(found.trees, sums.columns.items(), strict=True)
    )
    return Forest(made or (_ROOT_ALONE,), found.keys, found.ranks, found.frames, selection.type)
