"""Compaction: moves the hot rows of a scope's hour into the chunks of their series.

A reader finds a profile in a hot row or in a chunk and never in both, since a transaction moves
it. What is above the chunks is marked as out of date first of all.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter

import sqlalchemy as sa

from server.store import archive, catalog, hot, stale
from server.store.archive import PART_ENTRIES
from server.store.chunk import Chunk, merge
from server.store.database import Database
from server.store.hot import Row
from server.store.hours import HOUR_NS
from server.store.plan import Level
from server.store.rollup import Key
from server.store.schema import hot as hot_rows
from server.store.schema import series

WORTH_ROWS = 30
"""Five minutes at a drain each 10 s: a query decodes few hot rows, a chunk is written 12 times."""

SETTLED_NS = 120 * 1_000_000_000
"""After an hour, before it is compacted and summed up: the last drains arrive, and some retries.
What comes later is compacted later, and sums are made again."""

_ROWS_A_TRANSACTION = 500
"""Some 20 ms of work, in which nothing else is written to SQLite."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Hot rows of an hour of some series of one scope and type."""

    scope_id: int
    profile_type: str
    hour: int
    rows: dict[int, int]
    """By series."""


def pending(transaction: sa.Connection) -> list[Pending]:
    """All that could be compacted, hour by hour."""
    hour = (hot_rows.c.t0_ns // HOUR_NS).label("hour")
    key = (hour, hot_rows.c.scope_id, series.c.profile_type, hot_rows.c.series_id)
    same = (series.c.scope_id == hot_rows.c.scope_id) & (series.c.series_id == hot_rows.c.series_id)
    wanted = sa.select(*key, sa.func.count()).join(series, same).group_by(*key).order_by(*key)
    return [
        Pending(scope_id, type, int(hour), {series_id: count for *_, series_id, count in rows})
        for (hour, scope_id, type), rows in groupby(
            transaction.execute(wanted), key=lambda row: tuple(row[:3])
        )
    ]


def due(pending: Iterable[Pending], now_ns: int) -> Iterator[Pending]:
    """What is worth it: many rows, or all that are still to be expected of an hour."""
    for one in pending:
        over = (one.hour + 1) * HOUR_NS + SETTLED_NS <= now_ns
        rows = {number: n for number, n in one.rows.items() if over or n >= WORTH_ROWS}
        if rows:
            yield replace(one, rows=rows)


def steps(pending: Iterable[Pending]) -> Iterator[Pending]:
    """The same in pieces that take some milliseconds each."""
    for one in pending:
        piece: dict[int, int] = {}
        for number, rows in one.rows.items():
            piece[number] = rows
            if sum(piece.values()) >= _ROWS_A_TRANSACTION:
                yield replace(one, rows=piece)
                piece = {}
        if piece:
            yield replace(one, rows=piece)


def compact(database: Database, chosen: Pending) -> int:
    """Moves the rows; how many there were. Several servers may do so at once."""
    moved = 0
    with suppress(_NothingLeftError):
        while moved < sum(chosen.rows.values()):
            with database.write() as transaction:
                moved += _compact(transaction, chosen)
    return moved


class _NothingLeftError(Exception):
    """Another server was faster; what was marked is rolled back."""


def _compact(transaction: sa.Connection, chosen: Pending) -> int:
    stale.mark(transaction, chosen.scope_id, chosen.profile_type, chosen.hour)
    moved = 0
    for series_id in chosen.rows:
        rows = hot.take(transaction, chosen.scope_id, series_id, chosen.hour, PART_ENTRIES)
        for (epoch, period), profiles in _alike(rows):
            new = [Chunk.of(row.t0_ns, row.duration_ns, row.entries) for row in profiles]
            archive.extend(transaction, _key(chosen, series_id, epoch, period), merge(new))
        if rows:
            catalog.compacted(transaction, chosen.scope_id, series_id, chosen.hour)
        moved += len(rows)
    if not moved:
        raise _NothingLeftError
    return moved


def _alike(rows: Iterable[Row]) -> Iterator[tuple[tuple[int, int], Iterator[Row]]]:
    """The rows of each epoch and period, whose entries add up."""
    key = attrgetter("epoch", "period")
    return groupby(sorted(rows, key=key), key=key)


def _key(chosen: Pending, series_id: int, epoch: int, period: int) -> Key:
    return Key(
        chosen.scope_id,
        chosen.profile_type,
        Level.SERIES_HOUR,
        chosen.hour,
        series_id,
        epoch,
        period,
    )
