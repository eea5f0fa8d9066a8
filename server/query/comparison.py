"""Two selections compared: what differs, and the flamegraph of both."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from profiler.analysis import comparable, diff, differential, renamed
from profiler.analysis.diff import Change, Diff
from profiler.analysis.differential import DifferentialGraph
from profiler.analysis.gate import Terms
from profiler.model import Profile
from server.query import units
from server.query.selection import Selection
from server.store.function_tree import FunctionTrees

Sides = tuple[Sequence[Profile], Sequence[Profile]]
"""The units of the baseline, and of what is compared with it."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    notices: tuple[str, ...]
    diff: Diff
    graph: DifferentialGraph


def read(
    transaction: sa.Connection,
    trees: FunctionTrees,
    baseline: Selection,
    candidate: Selection,
) -> Sides:
    return units.of(transaction, trees, baseline), units.of(transaction, trees, candidate)


def compare(sides: Sides, terms: Terms, max_nodes: int) -> Comparison:
    """Raises NotComparable, with what differs."""
    notices = comparable.check(*sides)
    both = renamed.union_of(*sides)
    found = diff.functions(both, terms)
    moved = {row.key for row in found.rows if row.totals.change is Change.MOVED}
    return Comparison(notices, found, differential.draw(both, terms, max_nodes, moved))
