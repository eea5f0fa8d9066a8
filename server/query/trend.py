"""What functions cost in each day or hour: of all that is selected, or by the values of a label, in
clusters from which the noise can be told.

A cluster is an hour of a day, where whole services are asked for: those are in the function history
and cost nothing more. Else it is a host, and the sums of each series are read.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from profiler.analysis.grouping import FunctionKey
from profiler.errors import UsageError
from server.query import history
from server.query.history import MOST_CELLS, Chosen, History, Standing, Wanted
from server.query.labels import by_label
from server.query.selection import HOST, Selection
from server.store import samples
from server.store.catalog import SERVICE
from server.store.function_tree import FunctionTrees
from server.store.group import Group
from server.store.history import COSTS, Costs
from server.store.hours import DAY_HOURS, HOUR_NS

HOURS, HOSTS = "hour", "host"
CLUSTERS = (HOURS, HOSTS)

Table = NDArray[np.int64]
"""By cost, cluster and bucket."""


@dataclass(frozen=True, slots=True)
class Question:
    """`step_hours` is that of a bucket, 1 or 24; `by` a label; so many values of it are told apart.
    `cluster` None: the cheaper one."""

    wanted: Wanted | Chosen
    step_hours: int = DAY_HOURS
    by: str | None = None
    most_values: int = 10
    cluster: str | None = None


@dataclass(slots=True, eq=False)
class Costed:
    """What a value of the label cost."""

    everything: Table
    functions: dict[FunctionKey, Table] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Trend:
    """`buckets` are numbers of hours or days since 1970; by value of the label, "" where there is
    none; `others` are the values that were left out."""

    buckets: range
    step_hours: int
    cluster: str
    values: Mapping[str, Costed]
    others: int = 0

    @property
    def times_ns(self) -> list[int]:
        return [bucket * self.step_hours * HOUR_NS for bucket in self.buckets]


def read(
    transaction: sa.Connection, trees: FunctionTrees, selection: Selection, asked: Question
) -> Trend:
    """Raises UsageError where the answer would be too large, or the sums leave 64 bits."""
    selection.check_sums()
    whole = all(group.whole for group in selection.groups) and asked.by in (None, SERVICE)
    if asked.cluster == HOURS and not whole:
        raise UsageError("cluster: hours are for whole services, by service_name at most")
    if whole and asked.cluster != HOSTS:
        return _by_hours(transaction, trees, selection, asked)
    return _by_hosts(transaction, trees, selection, asked)


def _buckets(selection: Selection, step_hours: int) -> range:
    hours = selection.kept.hours
    return range(hours.start // step_hours, -(-hours.stop // step_hours))


def _by_hours(
    transaction: sa.Connection, trees: FunctionTrees, selection: Selection, asked: Question
) -> Trend:
    buckets, step = _buckets(selection, asked.step_hours), asked.step_hours
    values: dict[str, Costed] = {}
    parts, others = _services(selection, asked)
    for value, part in parts.items():
        found = history.read(transaction, trees, part, asked.wanted)
        values[value] = Costed(
            _folded(found, found.everything, buckets, step),
            {key: _folded(found, costs, buckets, step) for key, costs in found.functions.items()},
        )
    return Trend(buckets, step, HOURS, values, others)


def _services(selection: Selection, asked: Question) -> tuple[dict[str, Selection], int]:
    """The selection, or that of each service with the largest sums."""
    if asked.by is None:
        return {"": selection}, 0
    found = by_label(selection, SERVICE, asked.most_values)
    scope_of = {one.labels.get(SERVICE, ""): one.scope_id for one in selection.series}
    profile_type = selection.selector.profile_type
    parts = {
        value: replace(selection, groups=(Group(profile_type, (scope_of[value],)),))
        for value in found.totals
    }
    return parts, found.others


def _folded(found: History, costs: Costs, buckets: range, step_hours: int) -> Table:
    """Hours as clusters of buckets."""
    table = np.zeros((COSTS, len(buckets) * step_hours), np.int64)
    start = found.hours.start - buckets.start * step_hours
    table[:, start : start + costs.shape[1]] = costs
    return table.reshape(COSTS, len(buckets), step_hours).swapaxes(1, 2)


def _by_hosts(
    transaction: sa.Connection, trees: FunctionTrees, selection: Selection, asked: Question
) -> Trend:
    buckets = _buckets(selection, asked.step_hours)
    found = by_label(selection, asked.by or "", asked.most_values)
    shown = list(found.totals)
    hosts = _numbers(one.labels.get(HOST, "") for one in selection.series)
    host_of = {
        (one.scope_id, one.series_id): hosts[one.labels.get(HOST, "")] for one in selection.series
    }
    shape = COSTS, len(hosts), len(buckets)
    if len(hosts) * len(buckets) * max(len(shown), 1) > MOST_CELLS:
        raise UsageError(f"{len(hosts)} hosts and {len(buckets)} buckets: choose fewer of either")
    costed = [Costed(np.zeros(shape, np.int64)) for _ in shown]
    made: defaultdict[tuple[int, FunctionKey], Table] = defaultdict(
        lambda: np.zeros(shape, np.int64)
    )
    room = MOST_CELLS // max(len(hosts) * len(buckets), 1)
    standing = Standing(transaction, trees, asked.wanted)
    for series, hour, part in _parts(transaction, selection, asked.step_hours):
        line = found.lines.get((part.scope_id, series), len(shown))
        if line == len(shown):
            continue
        at = host_of[part.scope_id, series], hour // asked.step_hours - buckets.start
        sums = [part.samples, part.samples, part.value, part.value]
        costed[line].everything[:, at[0], at[1]] += sums
        for key, costs in standing.costs(part):
            made[line, key][:, at[0], at[1]] += costs
            if len(made) > room:
                raise UsageError(f"more than {room} {asked.wanted} in this range: name fewer")
    for (line, key), table in made.items():
        if table.any():
            costed[line].functions[key] = table
    values = dict(zip(shown, costed, strict=True))
    return Trend(buckets, asked.step_hours, HOSTS, values, found.others)


def _parts(
    transaction: sa.Connection, selection: Selection, step_hours: int
) -> Iterator[tuple[int, int, samples.Part]]:
    hourly = step_hours < DAY_HOURS
    with closing(
        samples.by_series(transaction, selection.groups, selection.kept, hourly=hourly)
    ) as parts:
        yield from parts


def _numbers(names: Iterator[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(sorted(set(names)))}
