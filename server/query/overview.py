"""What the services of a selection cost, and which of their functions cost more than before.

No verdict: two sums over ranges of equal length, exact, and their difference.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from profiler.analysis.grouping import FunctionKey
from profiler.model import Kind
from server.query import deploys
from server.query.selection import HOST, Selection
from server.store.catalog import SERVICE
from server.store.deploys import DAY_NS, Deploy
from server.store.function_tree import FunctionTree, FunctionTrees
from server.store.hours import TimeRange
from server.store.sums import Columns, Log, Sums, add_up

_DEPLOYS_NS = 90 * DAY_NS
"""A deploy that is older is no news."""

Cost = tuple[int, int]
"""Value and samples."""


@dataclass(frozen=True, slots=True)
class Grown:
    """A function that costs more itself than it did."""

    key: FunctionKey
    before: Cost
    now: Cost


def grown(
    transaction: sa.Connection, trees: FunctionTrees, before: Selection, now: Selection, most: int
) -> dict[str, list[Grown]]:
    """By service, at most so many functions, those that grew most first. A service of which there
    is nothing before is left out: all of it would be new."""
    services = {one.scope_id: one.labels.get(SERVICE, "") for one in now.series}
    compared = services.keys() & {one.scope_id for one in before.series}
    sums = [add_up(transaction, side.groups, side.kept) for side in (before, now)]
    logs = sorted({log for side in sums for log in side.columns if log[0] in compared})
    found = trees.of(transaction, logs)
    growths = {}
    for scope_id, members in groupby(zip(logs, found.trees, strict=True), lambda one: one[0][0]):
        held = dict(members)
        costs = np.array([_selves(side, held, len(found.ranks)) for side in sums])
        growths[services[scope_id]] = list(_most_grown(costs, found.keys, most))
    return growths


def _selves(sums: Sums, trees: Mapping[Log, FunctionTree], functions: int) -> NDArray[np.int64]:
    """Value and samples of each function itself."""
    added = np.zeros((2, functions), np.int64)
    for log, tree in trees.items():
        samples, values = sums.columns.get(log, Columns()).of(log, len(tree.node_of))
        number = tree.functions[tree.node_of[1:]]
        np.add.at(added[0], number, values[1:])
        np.add.at(added[1], number, samples[1:])
    return added


def _most_grown(
    costs: NDArray[np.int64], keys: Sequence[FunctionKey], most: int
) -> Iterator[Grown]:
    growth = costs[1, 0] - costs[0, 0]
    candidates = np.flatnonzero(growth > 0)
    order = candidates[np.argsort(-growth[candidates], kind="stable")].tolist()
    shown = 0
    for number in order:
        if shown == most:
            return
        if keys[number][-1] is not Kind.THREAD:
            shown += 1
            (before, samples_before), (now, samples) = costs[:, :, number].tolist()
            yield Grown(keys[number], (before, samples_before), (now, samples))


def hosts(selection: Selection) -> dict[str, int]:
    """How many hosts each service has samples of."""
    pairs = {(one.labels.get(SERVICE, ""), one.labels.get(HOST, "")) for one in selection.series}
    return {
        service: len(list(group)) for service, group in groupby(sorted(pairs), key=itemgetter(0))
    }


def newest_deploys(
    transaction: sa.Connection, tenant: str, selection: Selection
) -> dict[str, Deploy]:
    """By service, as far back as is news."""
    end_ns = selection.within.to_ns
    within = TimeRange(max(end_ns - _DEPLOYS_NS, 0), end_ns)
    found: dict[str, Deploy] = {}
    for one in deploys.select(transaction, tenant, selection.selector, within):
        found.setdefault(one.version.program.service, one)
    return found
