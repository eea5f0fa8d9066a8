"""What was measured, wherever it stands by now: rollups, chunks, hot rows, in this order.

All of them are read in the reader's one snapshot, so that a row that is moved meanwhile is read
once. A profile belongs to a range when it begins there.
"""

from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
import sqlalchemy as sa

from server.store import archive, hot, rollup, stale
from server.store.chunk import Times
from server.store.codec import Entries
from server.store.group import Group
from server.store.hours import TimeRange
from server.store.plan import Level, Plan, Run, Stale, plan
from server.store.rollup import Rollup
from server.store.totals import Bucket, Totals, Window


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
            for row in rows:
                yield Part(row.scope_id, row.epoch, row.period, row.samples, row.value, row.entries)


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
    origin_ns: int,
    step_ns: int,
) -> Iterator[Bucket | Window]:
    """In no order: sums of the profiles whose window lies in one bucket, and of those of each
    other window. Either may come more than once. Before the hour of the first chunk, an hour is
    one window."""
    hours = within.hours
    for group in groups:
        yield from hot.timeline(transaction, group, within, origin_ns, step_ns)
        if hours.start < first_chunk:
            run = Run(Level.SERIES_HOUR, hours.start, min(hours.stop, first_chunk))
            yield from rollup.windows(transaction, group, run)
        chunked = range(max(hours.start, first_chunk), hours.stop)
        for key, times in archive.times(transaction, group, chunked):
            inside = times[times.between(within.from_ns, within.to_ns)]
            yield from _placed(inside, key.period, origin_ns, step_ns)


def _planned(
    transaction: sa.Connection,
    groups: Sequence[Group],
    within: TimeRange,
    *,
    each_series: bool = False,
) -> Iterator[tuple[Group, Plan]]:
    """The groups with their plans; scopes with the same plan stay together."""
    for group in groups:
        marked = stale.read(transaction, group.profile_type)
        whole = group.whole and not each_series
        scopes: dict[Plan, list[int]] = {}
        for scope_id in group.scope_ids:
            planned = plan(within, marked.get(scope_id, Stale()), whole=whole)
            scopes.setdefault(planned, []).append(scope_id)
        for planned, scope_ids in scopes.items():
            yield replace(group, scope_ids=tuple(scope_ids)), planned


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


def _placed(times: Times, period: int, origin_ns: int, step_ns: int) -> Iterator[Bucket | Window]:
    """The profiles of a chunk as `timeline` yields them."""
    number = (times.t0_ns - origin_ns) // step_ns
    last = (times.t0_ns + np.maximum(times.duration_ns - 1, 0) - origin_ns) // step_ns
    values = times.values if len(times.values) else times.samples * period
    inside = last == number
    starts = np.flatnonzero(np.diff(number[inside], prepend=-1))
    if len(starts):
        yield from map(
            Bucket,
            number[inside][starts].tolist(),
            np.add.reduceat(times.samples[inside], starts).tolist(),
            np.add.reduceat(values[inside], starts).tolist(),
        )
    columns = (times.t0_ns, times.duration_ns, times.samples, values)
    yield from map(Window, *(column[~inside].tolist() for column in columns))
