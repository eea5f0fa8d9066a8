"""Two selections compared: what differs, and the flamegraph of both."""

from dataclasses import dataclass

import sqlalchemy as sa

from profiler.analysis import comparable, diff, differential, renamed
from profiler.analysis.diff import Change, Diff
from profiler.analysis.differential import DifferentialGraph
from profiler.analysis.gate import Terms
from profiler.analysis.union import Union
from server.query import units
from server.query.selection import Selection
from server.query.units import Units
from server.store.function_tree import FunctionTrees


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
) -> Units:
    return units.of(transaction, trees, baseline, candidate)


def union(read: Units) -> tuple[Union, tuple[str, ...]]:
    """With what people should know of it. Raises NotComparable, with what differs."""
    baseline, candidate = read.sides
    notices = comparable.check(baseline, candidate)
    return renamed.union_of(baseline, candidate, read.ground), notices


def compare(
    read: Units, terms: Terms, max_nodes: int, most_functions: int | None = None
) -> Comparison:
    """Raises NotComparable, with what differs."""
    both, notices = union(read)
    found = diff.functions(both, terms, most_functions)
    moved = {row.key for row in found.rows if row.totals.change is Change.MOVED}
    return Comparison(notices, found, differential.draw(both, terms, max_nodes, moved))
