"""What was measured, wherever it stands by now: rollups, chunks, hot rows, in this order.

All of them are read in the reader's one snapshot, so that a row that is moved meanwhile is read
once. A profile belongs to a range when it begins there.
"""

from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import sqlalchemy as sa

from server.store import archive, hot, minutes, rollup, stale
from server.store.codec import Entries
from server.store.group import Group
from server.store.hours import DAY_HOURS, HOUR_NS, TimeRange
from server.store.minutes import MINUTE_NS, Minutes, windows_of
from server.store.plan import Level, Plan, Run, Stale, plan
from server.store.rollup import Rollup
from server.store.spread import Windows
from server.store.totals import Totals


@dataclass(frozen=True, slots=True)
class Part:
    """Sums of some profiles; the entries are nodes of an epoch of the scope."""

    scope_id: int
    epoch: int
    period: int
    samples: int
    value: int
    entries: Entries


def read(transaction: sa.Connection, groups: Sequence[Group], within: TimeRange) -> Generator[Part]:
    """What the profiles of the groups that begin in the range add up to, in parts, in no order.

    Holds a cursor: close it where it is not read to its end.
    """
    with closing(compacted(transaction, groups, within)) as parts:
        yield from parts
    with closing(fresh(transaction, groups, within)) as parts:
        yield from parts


def compacted(
    transaction: sa.Connection, groups: Sequence[Group], within: TimeRange
) -> Generator[Part]:
    """Of that, what stands in chunks and rollups."""
    for group, planned in _planned(transaction, groups, within):
        for run in planned.runs:
            with closing(rollup.read(transaction, group, run)) as rollups:
                yield from map(_part, rollups)
        for hour in planned.cut:
            with closing(archive.read(transaction, group, range(hour, hour + 1))) as chunks:
                for stored in chunks:
                    yield _part(stored.cut(within.from_ns, within.to_ns))


def fresh(
    transaction: sa.Connection, groups: Sequence[Group], within: TimeRange
) -> Generator[Part]:
    """Of that, what is not yet compacted."""
    for group in groups:
        with closing(hot.read(transaction, group, within)) as rows:
            yield from map(_fresh, rows)


def by_series(
    transaction: sa.Connection, groups: Sequence[Group], within: TimeRange, *, hourly: bool
) -> Generator[tuple[int, int, Part]]:
    """The number of a series, an hour and sums of some of its profiles: those of the hour's day,
    or (`hourly`) of the hour. In no order.

    Holds a cursor: close it where it is not read to its end.
    """
    for group, planned in _planned(transaction, groups, within, each_series=True, hourly=hourly):
        for run in planned.runs:
            with closing(rollup.read(transaction, group, run)) as rollups:
                for found in rollups:
                    yield found.key.series_id, found.key.hour, _part(found)
        for hour in planned.cut:
            with closing(archive.read(transaction, group, range(hour, hour + 1))) as chunks:
                for stored in chunks:
                    cut = stored.cut(within.from_ns, within.to_ns)
                    if cut.totals.profiles:  # else the series is none of those in the range
                        yield stored.key.series_id, hour, _part(cut)
    for group in groups:
        with closing(hot.read(transaction, group, within)) as rows:
            for row in rows:
                yield row.series_id, row.t0_ns // HOUR_NS, _fresh(row)


def totals(
    transaction: sa.Connection, groups: Sequence[Group], within: TimeRange
) -> dict[tuple[int, int], Totals]:
    """By (scope_id, series_id), of those that have profiles that begin in the range."""
    found: defaultdict[tuple[int, int], Totals] = defaultdict(Totals)
    for scope_id, series_id, sums in _totals(transaction, groups, within):
        found[scope_id, series_id] += sums
    return {key: sums for key, sums in found.items() if sums.profiles}


def timeline(
    transaction: sa.Connection,
    groups: Sequence[Group],
    within: TimeRange,
    first_chunk: int,
    buckets: range,
) -> Iterator[Windows | Minutes]:
    """In no order: profiles and sums of some with their windows, and minutes, for buckets that hold
    whole ones. Of minutes, also those of other series. Before the hour of the first chunk, an
    hour is one window."""
    hours = within.hours
    chunked = range(max(hours.start, first_chunk), hours.stop)
    for group in groups:
        yield from hot.timeline(transaction, group, within, buckets)
        if hours.start < first_chunk:
            run = Run(Level.SERIES_HOUR, hours.start, min(hours.stop, first_chunk))
            yield from rollup.windows(transaction, group, run)
        found: dict[int, set[int]] = {}
        if not (buckets.start % MINUTE_NS or buckets.step % MINUTE_NS):
            for one in _minutes(transaction, group, within, chunked):
                found.setdefault(one.scope_id, set()).add(one.hour)
                yield one
        for scopes, others in _others(group, chunked, found):
            for key, times in archive.times(transaction, scopes, others):
                inside = times[times.between(within.from_ns, within.to_ns)]
                yield windows_of(key, inside)


def _minutes(
    transaction: sa.Connection, group: Group, within: TimeRange, chunked: range
) -> Iterator[Minutes]:
    """Those of whole hours that are up to date."""
    whole = range(max(-(-within.from_ns // HOUR_NS), chunked.start), within.to_ns // HOUR_NS)
    if not whole:
        return
    marked = stale.read(transaction, group.profile_type)
    for one in minutes.read(transaction, group.profile_type, group.scope_ids, whole):
        if one.hour not in marked.get(one.scope_id, Stale()).hours:
            yield one


def _others(
    group: Group, hours: range, found: Mapping[int, set[int]]
) -> Iterator[tuple[Group, range]]:
    """The hours that were not found, in runs; scopes of which the same were found together."""
    scopes: defaultdict[frozenset[int], list[int]] = defaultdict(list)
    for scope_id in group.scope_ids:
        scopes[frozenset(found.get(scope_id, ()))].append(scope_id)
    for known, scope_ids in scopes.items():
        part = replace(group, scope_ids=tuple(scope_ids))
        first = hours.start
        for hour in (*sorted(known), hours.stop):
            if first < hour:
                yield part, range(first, hour)
            first = hour + 1


def _planned(
    transaction: sa.Connection,
    groups: Sequence[Group],
    within: TimeRange,
    *,
    each_series: bool = False,
    hourly: bool = False,
) -> Iterator[tuple[Group, Plan]]:
    """The groups with their plans, by hours alone where `hourly`; scopes with the same plan stay
    together."""
    days = frozenset(range(0, within.hours.stop, DAY_HOURS)[within.hours.start // DAY_HOURS :])
    for group in groups:
        marked = stale.read(transaction, group.profile_type)
        whole = group.whole and not each_series
        scopes: dict[Plan, list[int]] = {}
        for scope_id in group.scope_ids:
            old = marked.get(scope_id, Stale())
            old = replace(old, days=days) if hourly else old
            planned = plan(within, old, whole=whole)
            scopes.setdefault(planned, []).append(scope_id)
        for planned, scope_ids in scopes.items():
            yield replace(group, scope_ids=tuple(scope_ids)), planned


def _fresh(row: hot.Row) -> Part:
    return Part(row.scope_id, row.epoch, row.period, row.samples, row.value, row.entries)


def _part(row: Rollup) -> Part:
    key, sums = row.key, row.totals
    return Part(key.scope_id, key.epoch, key.period, sums.samples, sums.value, row.entries)


def _totals(
    transaction: sa.Connection, groups: Sequence[Group], within: TimeRange
) -> Iterator[tuple[int, int, Totals]]:
    for group, planned in _planned(transaction, groups, within, each_series=True):
        for run in planned.runs:
            yield from rollup.totals(transaction, group, run)
        for hour in planned.cut:
            for key, times in archive.times(transaction, group, range(hour, hour + 1)):
                inside = times[times.between(within.from_ns, within.to_ns)]
                yield key.scope_id, key.series_id, inside.totals(key.period)
    for group in groups:
        yield from hot.totals(transaction, group, within)
