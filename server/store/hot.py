"""Hot rows: what was measured and is not yet compacted, one row a series and batch."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.exc import IntegrityError

from profiler.errors import FormatError
from server.store.codec import Entries, decode_entries, encode_entries
from server.store.database import insert_many
from server.store.group import Group
from server.store.hours import HOUR_NS, TimeRange
from server.store.schema import hot, scope, series
from server.store.spread import Windows
from server.store.totals import LARGEST_SUM, Totals

_ROWS_A_FETCH = 1000


@dataclass(frozen=True, slots=True)
class Row:
    """The samples of a series in one batch; its entries are nodes of an epoch of its scope."""

    scope_id: int
    series_id: int
    t0_ns: int
    epoch: int
    duration_ns: int
    period: int
    entries: Entries

    @property
    def samples(self) -> int:
        return int(self.entries.samples.sum())

    @property
    def value(self) -> int:
        implied = not len(self.entries.values)
        return self.samples * self.period if implied else int(self.entries.values.sum())


_ROW = (
    hot.c.scope_id,
    hot.c.series_id,
    hot.c.t0_ns,
    hot.c.epoch,
    hot.c.duration_ns,
    hot.c.period,
    hot.c.blob,
)


_COLUMNS = (
    *("scope_id", "series_id", "t0_ns", "uid", "epoch", "duration_ns"),
    *("period", "samples", "value", "n", "blob"),
)


def add(transaction: sa.Connection, batches: Iterable[tuple[int, Sequence[Row]]]) -> None:
    """Adds rows with the uid of their batch; FormatError where another batch has used one."""
    named = [(uid, row) for uid, of_batch in batches for row in of_batch]
    rows = [row for _, row in named]
    if not rows:
        return
    columns = zip(named, _sums(rows), encode_entries([row.entries for row in rows]), strict=True)
    values = [_values(*of_row, samples, blob) for of_row, samples, blob in columns]
    try:
        insert_many(transaction, hot, _COLUMNS, values)
    except IntegrityError:
        raise FormatError(
            "sequence: a batch of this collector and number is stored, with other accounts"
        ) from None


def _values(uid: int, row: Row, samples: int, blob: bytes) -> tuple[object, ...]:
    """Of `_COLUMNS`."""
    given = row.entries.values
    return (
        *(row.scope_id, row.series_id, row.t0_ns, uid, row.epoch, row.duration_ns),
        *(row.period, samples, int(given.sum()) if len(given) else samples * row.period),
        *(len(row.entries.nodes), blob),
    )


def _sums(rows: Sequence[Row]) -> list[int]:
    """The samples of each."""
    ends = np.cumsum([len(row.entries.nodes) for row in rows])
    sums = np.cumsum(
        np.concatenate([np.zeros(1, np.int64), *(row.entries.samples for row in rows)])
    )
    found: list[int] = np.diff(sums[ends], prepend=0).tolist()
    return found


def take(
    transaction: sa.Connection, scope_id: int, series_id: int, hour: int, most_entries: int
) -> list[Row]:
    """Removes rows of one series and hour, the oldest first, and returns exactly these.

    They have at most `most_entries` together, unless one row has more, and sums of 64 bits.
    """
    mine = (
        hot.c.scope_id == scope_id,
        hot.c.series_id == series_id,
        hot.c.t0_ns >= hour * HOUR_NS,
        hot.c.t0_ns < (hour + 1) * HOUR_NS,
    )
    last = _last_of(transaction, mine, most_entries)
    if last is None:
        return []
    upto = sa.tuple_(hot.c.t0_ns, hot.c.uid) <= sa.tuple_(*last)
    removed = transaction.execute(hot.delete().where(*mine, upto).returning(*_ROW))
    return [_row(*row) for row in removed]


def _last_of(
    transaction: sa.Connection, mine: tuple[sa.ColumnElement[bool], ...], most_entries: int
) -> tuple[int, int] | None:
    """The key of the last row that `take` takes."""
    columns = (hot.c.t0_ns, hot.c.uid, hot.c.n, hot.c.samples, hot.c.value)
    wanted = sa.select(*columns).where(*mine).order_by(hot.c.t0_ns, hot.c.uid)
    last, entries, sums = None, 0, 0
    for t0_ns, uid, n, samples, value in transaction.execute(wanted.limit(_ROWS_A_FETCH)):
        entries, sums = entries + n, sums + max(samples, value)
        if last is not None and (entries > most_entries or sums > LARGEST_SUM):
            break
        last = t0_ns, uid
    return last


def read(transaction: sa.Connection, group: Group, within: TimeRange) -> Generator[Row]:
    """The rows of the group that begin in the range.

    Holds a cursor: close it where it is not read to its end.
    """
    wanted = sa.select(*_ROW).execution_options(yield_per=_ROWS_A_FETCH)
    for batch in group.batches():
        with transaction.execute(wanted.where(*_chosen(batch, within))) as rows:
            for row in rows:
                yield _row(*row)


def totals(
    transaction: sa.Connection, group: Group, within: TimeRange
) -> Iterator[tuple[int, int, Totals]]:
    """By scope and series, of those that have rows."""
    key = (hot.c.scope_id, hot.c.series_id)
    sums = (sa.func.count(), sa.func.sum(hot.c.samples), sa.func.sum(hot.c.value))
    for batch in group.batches():
        wanted = sa.select(*key, *sums).where(*_chosen(batch, within)).group_by(*key)
        for scope_id, series_id, profiles, samples, value in transaction.execute(wanted):
            yield scope_id, series_id, Totals(profiles, int(samples), int(value))


def timeline(
    transaction: sa.Connection, group: Group, within: TimeRange, buckets: range
) -> Iterator[Windows]:
    """In no order, by series: sums of the rows whose window lies in one bucket, at its start, and
    the window of each other row."""
    number = ((hot.c.t0_ns - buckets.start) // buckets.step).label("number")
    last_ns = hot.c.t0_ns + sa.case((hot.c.duration_ns > 0, hot.c.duration_ns - 1), else_=0)
    inside = (last_ns - buckets.start) // buckets.step == number
    key = (hot.c.scope_id, hot.c.series_id)
    sums = (sa.func.sum(hot.c.samples), sa.func.sum(hot.c.value))
    summed = sa.select(*key, number, *sums).group_by(*key, number)
    alone = sa.select(*key, hot.c.t0_ns, hot.c.duration_ns, hot.c.samples, hot.c.value)
    for batch in group.batches():
        chosen = _chosen(batch, within)
        for scope_id, (series_ids, numbers, *counts) in _columns(
            transaction, summed.where(*chosen, inside)
        ):
            starts_ns = buckets.start + numbers * buckets.step
            yield Windows(scope_id, series_ids, starts_ns, np.zeros_like(numbers), *counts)
        for scope_id, columns in _columns(transaction, alone.where(*chosen, ~inside)):
            yield Windows(scope_id, *columns)


def _columns(
    transaction: sa.Connection, wanted: sa.Select[Any]
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """By scope, all columns but that of the scope."""
    rows = transaction.execute(wanted.order_by(hot.c.scope_id))
    for scope_id, found in groupby(rows, key=itemgetter(0)):
        yield scope_id, np.array([[*map(int, row[1:])] for row in found], np.int64).T


def hours(transaction: sa.Connection, group: Group, within: TimeRange) -> set[int]:
    """Those of the range in which there are rows."""
    wanted = sa.select((hot.c.t0_ns // HOUR_NS).label("hour")).distinct()
    return {
        int(hour)
        for batch in group.batches()
        for hour in transaction.execute(wanted.where(*_chosen(batch, within))).scalars()
    }


def first_hour(transaction: sa.Connection, tenant: str, profile_type: str) -> int | None:
    """That of the oldest row."""
    same = (hot.c.scope_id == series.c.scope_id) & (hot.c.series_id == series.c.series_id)
    oldest = (
        sa.select(sa.func.min(hot.c.t0_ns))
        .join(series, same)
        .join(scope, scope.c.scope_id == series.c.scope_id)
        .where(scope.c.tenant == tenant, series.c.profile_type == profile_type)
    )
    t0_ns = transaction.execute(oldest).scalar()
    return None if t0_ns is None else int(t0_ns) // HOUR_NS


def _chosen(group: Group, within: TimeRange) -> tuple[sa.ColumnElement[bool], ...]:
    """The condition that chooses the rows: a range of the key a series."""
    return (
        *_series(group),
        hot.c.t0_ns >= within.from_ns,
        hot.c.t0_ns < within.to_ns,
    )


def _series(group: Group) -> tuple[sa.ColumnElement[bool], ...]:
    """Hot rows do not know their type."""
    if group.numbers is not None:
        return hot.c.scope_id.in_(group.scope_ids), hot.c.series_id.in_(group.numbers)
    return (
        hot.c.scope_id == series.c.scope_id,
        hot.c.series_id == series.c.series_id,
        series.c.scope_id.in_(group.scope_ids),
        series.c.profile_type == group.profile_type,
    )


def _row(
    scope_id: int,
    series_id: int,
    t0_ns: int,
    epoch: int,
    duration_ns: int,
    period: int,
    blob: bytes,
) -> Row:
    entries = decode_entries(blob)
    return Row(scope_id, series_id, t0_ns, epoch, duration_ns, period, entries)
