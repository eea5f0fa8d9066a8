"""The rows of chunks: written by the compaction, read where a range cuts an hour."""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from server.store import chunk as chunks
from server.store import rollup as rollups
from server.store.chunk import Chunk, Times, merge
from server.store.codec import Entries, decode_sums
from server.store.database import upsert
from server.store.group import Group
from server.store.hours import HOUR_NS
from server.store.plan import Level
from server.store.rollup import Key, Rollup
from server.store.schema import chunk, rollup
from server.store.totals import LARGEST_SUM

_ROWS_A_FETCH = 100
"""Of some 60 KB each."""

PART_ENTRIES = 2 << 20
"""In a part of a chunk: so much is in memory at once, some 100 MB. A host of 64 CPUs comes to an
eighth of it in an hour."""

_KEY = (
    *(chunk.c.scope_id, chunk.c.hour, chunk.c.series_id),
    *(chunk.c.epoch, chunk.c.period, chunk.c.part),
)

_SAME = [
    chunk.c[name] == rollup.c[name]
    for name in ("scope_id", "profile_type", "hour", "series_id", "epoch", "period", "part")
]


@dataclass(frozen=True, slots=True)
class Stored:
    """A chunk as it was read: its profiles' entries are places in `nodes`."""

    key: Key
    times: Times
    profiles: Entries
    nodes: chunks.Column

    def cut(self, from_ns: int, to_ns: int) -> Rollup:
        """The sums over its profiles that begin in [from_ns, to_ns)."""
        part = self.times.between(from_ns, to_ns)
        sums = chunks.cut(self.times, self.profiles, self.nodes, part)
        return Rollup(self.key, self.times[part].totals(self.key.period), sums)

    def chunk(self) -> Chunk:
        profiles = self.profiles
        return Chunk(
            self.times, Entries(self.nodes[profiles.nodes], profiles.samples, profiles.values)
        )


def write(transaction: sa.Connection, key: Key, merged: Chunk) -> None:
    """Writes a chunk and its rollup, in the place of older ones."""
    sums = merged.sums()
    rollups.write(transaction, [Rollup(key, merged.times.totals(key.period), sums)])
    write_profiles(transaction, key, merged, sums.nodes)


def write_profiles(
    transaction: sa.Connection,
    key: Key,
    merged: Chunk,
    nodes: chunks.Column,
    *,
    thinned: bool = False,
) -> None:
    """Writes a chunk whose rollup, with these nodes, is there."""
    upsert(
        transaction,
        chunk,
        scope_id=key.scope_id,
        profile_type=key.profile_type,
        hour=key.hour,
        series_id=key.series_id,
        epoch=key.epoch,
        period=key.period,
        part=key.part,
        n=len(merged.entries.nodes),
        thinned=thinned,
        times=chunks.encode_times(merged.times, key.hour * HOUR_NS),
        entries=chunks.encode_profiles(merged.entries, nodes),
    )


def extend(transaction: sa.Connection, key: Key, new: Chunk) -> None:
    """Merges profiles into the newest part of their chunk, or makes the next part where it is
    full. On PostgreSQL, for whoever has marked the hour."""
    series = Group(key.profile_type, (key.scope_id,), (key.series_id,))
    newest = (
        sa.select(chunk.c.part, chunk.c.n, rollup.c.samples, rollup.c.value)
        .where(*series.among(chunk), chunk.c.hour == key.hour, *_SAME)
        .where(chunk.c.epoch == key.epoch, chunk.c.period == key.period)
        .where(rollup.c.level == Level.SERIES_HOUR)
        .order_by(chunk.c.part.desc())
        .limit(1)
    )
    found = transaction.execute(newest).one_or_none()
    if found is None:
        return write(transaction, key, new)
    part, n, samples, value = found
    totals = new.times.totals(key.period)
    full = (
        n + len(new.entries.nodes) > PART_ENTRIES
        or max(samples + totals.samples, value + totals.value) > LARGEST_SUM
    )
    if full:
        return write(transaction, replace(key, part=part + 1), new)
    key = replace(key, part=part)
    return write(transaction, key, merge([read_one(transaction, key).chunk(), new]))


def read_one(transaction: sa.Connection, key: Key) -> Stored:
    series = Group(key.profile_type, (key.scope_id,), (key.series_id,))
    with closing(read(transaction, series, range(key.hour, key.hour + 1))) as rows:
        return next(stored for stored in rows if stored.key == key)


def keys(
    transaction: sa.Connection, group: Group, hour: int, *conditions: sa.ColumnElement[bool]
) -> list[Key]:
    """Those of the chunks of an hour."""
    wanted = sa.select(*_KEY).where(*group.among(chunk), chunk.c.hour == hour, *conditions)
    return [_key(group, *row) for row in transaction.execute(wanted)]


def read(transaction: sa.Connection, group: Group, hours: range) -> Generator[Stored]:
    """The chunks of some hours.

    Holds a cursor: close it where it is not read to its end.
    """
    wanted = sa.select(*_KEY, chunk.c.times, chunk.c.entries, rollup.c.sums).where(
        *_SAME, rollup.c.level == Level.SERIES_HOUR, *_in(hours)
    )
    for batch in group.batches():
        with transaction.execute(_fetched(wanted, batch, hours)) as rows:
            for *columns, times, entries, sums in rows:
                key, nodes = _key(group, *columns), decode_sums(sums).nodes
                decoded = chunks.decode_times(times, key.hour * HOUR_NS)
                yield Stored(key, decoded, chunks.decode_profiles(entries, nodes), nodes)


def times(transaction: sa.Connection, group: Group, hours: range) -> Iterator[tuple[Key, Times]]:
    """When the profiles of some hours were taken, and their sums."""
    wanted = sa.select(*_KEY, chunk.c.times).where(*_in(hours))
    for batch in group.batches():
        for *columns, blob in transaction.execute(_fetched(wanted, batch, hours)):
            key = _key(group, *columns)
            yield key, chunks.decode_times(blob, key.hour * HOUR_NS)


def _fetched(wanted: sa.Select[Any], batch: Group, hours: range) -> sa.Select[Any]:
    """Of these series, some rows at a time; where there are few, at once: on PostgreSQL, a cursor
    takes three round trips more."""
    chosen = wanted.where(*batch.among(chunk))
    if batch.numbers is not None and len(batch.numbers) * len(hours) <= _ROWS_A_FETCH:
        return chosen
    return chosen.execution_options(yield_per=_ROWS_A_FETCH)


def _in(hours: range) -> tuple[sa.ColumnElement[bool], ...]:
    return chunk.c.hour >= hours.start, chunk.c.hour < hours.stop


def _key(group: Group, scope_id: int, *rest: int) -> Key:
    return Key(scope_id, group.profile_type, Level.SERIES_HOUR, *rest)
