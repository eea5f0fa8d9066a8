"""Rollups: the sums over an hour or a day, of one series or of all of a scope and type.

Those of a series' hour are the upper half of its chunk and are written with it. All others are
caches, made from those below; `stale` knows which of them must not be used.
"""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import numpy as np
import sqlalchemy as sa

from server.store.codec import Entries, decode_sums, encode_sums
from server.store.database import upsert
from server.store.group import Group
from server.store.hours import HOUR_NS
from server.store.plan import Level, Run
from server.store.schema import rollup
from server.store.spread import Windows
from server.store.totals import Totals

ALL = 0
"""The series number of what sums up all of them."""

_ROWS_A_FETCH = 100  # of up to some 100 KB each


@dataclass(frozen=True, slots=True)
class Key:
    """Of a rollup, and (level SERIES_HOUR) of the chunk below it."""

    scope_id: int
    profile_type: str
    level: Level
    hour: int
    series_id: int
    epoch: int
    period: int
    part: int = 0


@dataclass(frozen=True, slots=True)
class Rollup:
    key: Key
    totals: Totals
    entries: Entries


def write(transaction: sa.Connection, rows: Iterable[Rollup]) -> None:
    """Writes each, in the place of an older one."""
    for row in rows:
        upsert(
            transaction,
            rollup,
            **{name: getattr(row.key, name) for name in Key.__slots__},
            profiles=row.totals.profiles,
            samples=row.totals.samples,
            value=row.totals.value,
            n=len(row.entries.nodes),
            sums=encode_sums(row.entries),
        )


def read(transaction: sa.Connection, group: Group, run: Run) -> Generator[Rollup]:
    """In no order; where the run is of all series of a scope, the group is too.

    Holds a cursor: close it where it is not read to its end.
    """
    columns = (
        *(rollup.c.scope_id, rollup.c.hour, rollup.c.series_id),
        *(rollup.c.epoch, rollup.c.period, rollup.c.part),
        *(rollup.c.profiles, rollup.c.samples, rollup.c.value, rollup.c.sums),
    )
    wanted = sa.select(*columns).execution_options(yield_per=_ROWS_A_FETCH)
    for batch in group.batches():
        with transaction.execute(wanted.where(*batch.among(rollup), *_in(run))) as rows:
            for scope_id, hour, series_id, epoch, period, part, *sums, blob in rows:
                key = Key(
                    scope_id,
                    group.profile_type,
                    run.level,
                    hour,
                    series_id,
                    epoch,
                    period,
                    part,
                )
                yield Rollup(key, Totals(*sums), decode_sums(blob))


def totals(transaction: sa.Connection, group: Group, run: Run) -> Iterator[tuple[int, int, Totals]]:
    """By scope and series."""
    key = (rollup.c.scope_id, rollup.c.series_id)
    sums = map(sa.func.sum, (rollup.c.profiles, rollup.c.samples, rollup.c.value))
    wanted = sa.select(*key, *sums).group_by(*key)
    for batch in group.batches():
        for scope_id, series_id, *found in transaction.execute(
            wanted.where(*batch.among(rollup), *_in(run))
        ):
            yield scope_id, series_id, Totals(*map(int, found))


def windows(transaction: sa.Connection, group: Group, run: Run) -> Iterator[Windows]:
    """The sums of each series and hour or day of a run."""
    columns = (rollup.c.series_id, rollup.c.hour, rollup.c.samples, rollup.c.value)
    wanted = sa.select(rollup.c.scope_id, *columns).order_by(rollup.c.scope_id)
    for batch in group.batches():
        rows = transaction.execute(wanted.where(*batch.among(rollup), *_in(run)))
        for scope_id, found in groupby(rows, key=itemgetter(0)):
            series_ids, hours, samples, values = np.array([row[1:] for row in found], np.int64).T
            length = np.full(len(hours), run.level.hours * HOUR_NS)
            yield Windows(scope_id, series_ids, hours * HOUR_NS, length, samples, values)


def series(transaction: sa.Connection, group: Group, run: Run) -> list[int]:
    """The series of a scope that have rollups in a run."""
    wanted = sa.select(rollup.c.series_id).where(*group.among(rollup), *_in(run)).distinct()
    return sorted(transaction.execute(wanted).scalars())


def hours(transaction: sa.Connection, group: Group, run: Run) -> set[int]:
    """Those of a run in which there are rollups."""
    wanted = sa.select(rollup.c.hour).distinct()
    return {
        hour
        for batch in group.batches()
        for hour in transaction.execute(wanted.where(*batch.among(rollup), *_in(run))).scalars()
    }


def _in(run: Run) -> tuple[sa.ColumnElement[bool], ...]:
    return rollup.c.level == run.level, rollup.c.hour >= run.first, rollup.c.hour < run.end
