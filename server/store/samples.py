"""What was measured, wherever it stands by now: rollups, chunks, hot rows, in this order.

All of them are read in the reader's one snapshot, so that a row that is moved meanwhile is read
once. A profile belongs to a range when it begins there.
"""

from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from server.store import archive, hot, rollup, stale
from server.store.catalog import Group
from server.store.chunk import Times
from server.store.codec import Entries
from server.store.hours import TimeRange
from server.store.plan import Plan, Run, plan
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
    """What the profiles of the groups that begin in the range add up to, scope by scope.

    Holds a cursor: close it where it is not read to its end.
    """
    for group in groups:
        planned = _planned(transaction, group, within)
        for run in planned.runs:
            for numbers in _numbers(group, run):
                yield from _parts(
                    rollup.read(transaction, group.scope_id, group.profile_type, run, numbers)
                )
        for hour in planned.cut:
            yield from _parts(_cut(transaction, group, within, hour))
        with closing(hot.read(transaction, group, within)) as rows:
            for row in rows:
                yield Part(
                    group.scope_id, row.epoch, row.period, row.samples, row.value, row.entries
                )


def totals(
    transaction: sa.Connection, groups: Sequence[Group], within: TimeRange
) -> dict[tuple[int, int], Totals]:
    """By (scope_id, series_id), of those that have profiles that begin in the range."""
    found: defaultdict[tuple[int, int], Totals] = defaultdict(Totals)
    for group in groups:
        for series_id, sums in _totals(transaction, group, within):
            found[group.scope_id, series_id] += sums
    return {key: sums for key, sums in found.items() if sums.profiles}


def timeline(
    transaction: sa.Connection,
    groups: Sequence[Group],
    within: TimeRange,
    origin_ns: int,
    step_ns: int,
) -> Iterator[Bucket | Window]:
    """In no order: sums of the profiles whose window lies in one bucket, and of those of each
    other window. Either may come more than once."""
    for group in groups:
        yield from hot.timeline(transaction, group, within, origin_ns, step_ns)
        for numbers in group.batches():
            for key, times in archive.times(
                transaction, group.scope_id, group.profile_type, within.hours, numbers
            ):
                inside = times[times.between(within.from_ns, within.to_ns)]
                yield from _placed(inside, key.period, origin_ns, step_ns)


def _planned(
    transaction: sa.Connection, group: Group, within: TimeRange, *, whole: bool | None = None
) -> Plan:
    marked = stale.read(transaction, group.scope_id, group.profile_type)
    return plan(within, marked, whole=group.whole if whole is None else whole)


def _numbers(group: Group, run: Run) -> list[Sequence[int]]:
    return [(rollup.ALL,)] if run.level.whole else list(group.batches())


def _parts(rows: Generator[rollup.Rollup]) -> Generator[Part]:
    with closing(rows):
        for row in rows:
            key, sums = row.key, row.totals
            yield Part(key.scope_id, key.epoch, key.period, sums.samples, sums.value, row.entries)


def _cut(
    transaction: sa.Connection, group: Group, within: TimeRange, hour: int
) -> Generator[rollup.Rollup]:
    for numbers in group.batches():
        with closing(
            archive.read(
                transaction,
                group.scope_id,
                group.profile_type,
                range(hour, hour + 1),
                numbers,
            )
        ) as chunks:
            for stored in chunks:
                yield stored.cut(within.from_ns, within.to_ns)


def _totals(
    transaction: sa.Connection, group: Group, within: TimeRange
) -> Iterator[tuple[int, Totals]]:
    planned = _planned(transaction, group, within, whole=False)
    for numbers in group.batches():
        for run in planned.runs:
            yield from rollup.totals(transaction, group.scope_id, group.profile_type, run, numbers)
        for hour in planned.cut:
            hours = range(hour, hour + 1)
            for key, times in archive.times(
                transaction, group.scope_id, group.profile_type, hours, numbers
            ):
                inside = times[times.between(within.from_ns, within.to_ns)]
                yield key.series_id, inside.totals(key.period)
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
