"""The functions of a selection whose names match."""

import numpy as np
import re2
import sqlalchemy as sa

from profiler.analysis.grouping import FunctionKey
from profiler.errors import UsageError
from profiler.model import Kind
from profiler.selector import compiled
from server.query.selection import Selection
from server.store import epochs
from server.store.function_tree import FunctionTrees

MOST_FUNCTIONS = 200


def pattern(text: str) -> "re2._Regexp":
    """An expression of RE2 for whole names; raises UsageError."""
    try:
        return compiled(text)
    except re2.error as error:
        reason = error.args[0].decode("utf-8", "replace")
        raise UsageError(f"not a regular expression (RE2): {reason}") from None


def matching(
    transaction: sa.Connection, trees: FunctionTrees, selection: Selection, text: str
) -> frozenset[FunctionKey]:
    """Raises UsageError where they are too many."""
    expression = pattern(text)
    scopes = sorted({scope_id for group in selection.groups for scope_id in group.scope_ids})
    found = trees.of(transaction, epochs.logs(transaction, scopes))
    used = np.zeros(len(found.keys) + 1, bool)
    for tree in found.trees:
        used[tree.functions] = True
    keys = (found.keys[number] for number in np.flatnonzero(used[:-1]).tolist())
    meant = frozenset(
        key for key in keys if key[-1] is not Kind.THREAD and expression.fullmatch(key[0])
    )
    if len(meant) > MOST_FUNCTIONS:
        raise UsageError(
            f"{len(meant):,} functions match {text!r:.80}, at most {MOST_FUNCTIONS}: name fewer"
        )
    return meant
