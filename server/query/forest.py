"""The samples of a selection as trees of functions, one an epoch of a scope."""

import sqlalchemy as sa

from profiler.analysis.forest import Forest
from server.query.selection import Selection
from server.store.function_tree import FunctionTrees
from server.store.sums import add_up


def forest(transaction: sa.Connection, trees: FunctionTrees, selection: Selection) -> Forest:
    sums = add_up(transaction, selection.groups, selection.kept)
    return trees.forest(transaction, sums, selection.type)
