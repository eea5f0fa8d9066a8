"""Renewal: makes the rollups anew that are out of date, from those of the series' hours below.

What is read may be newer than the mark, or half of it; but then the mark has another version, and
nothing of it is written. So no lock is held while sums are made.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace

import numpy as np
import sqlalchemy as sa

from profiler.analysis import top
from profiler.model import ProfileType
from server.store import history, minutes, rollup, samples, stale
from server.store.chunk import sums
from server.store.codec import Entries
from server.store.compaction import SETTLED_NS
from server.store.database import Database
from server.store.function_tree import FunctionTrees
from server.store.group import Group
from server.store.history import COSTS, Day
from server.store.hours import DAY_HOURS, HOUR_NS, hours_range
from server.store.plan import Level, Run
from server.store.rollup import ALL, Key, Rollup
from server.store.stale import Mark
from server.store.sums import added
from server.store.symbols import SymbolReader
from server.store.totals import LARGEST_SUM, Totals

_SERIES_AT_ONCE = 16
"""Whose hours of a day are in memory together."""

_PENDING_NODES = 1 << 20
"""How many nodes wait to be added up: 24 MB."""


class _TooLargeError(Exception):
    """Sums beyond 64 bits: only a hostile sender comes that far. Such a rollup is not made."""


def due(marks: Iterable[Mark], now_ns: int) -> list[Mark]:
    """Those of hours and days that are over."""
    return [
        mark for mark in marks if (mark.hour + mark.level.hours) * HOUR_NS + SETTLED_NS <= now_ns
    ]


def renew(database: Database, mark: Mark, trees: FunctionTrees | None = None) -> bool:
    """Makes what `mark` speaks of anew; False where that must be tried again later.

    Several servers may do so at once. `trees` are those that queries use, if there are any.
    """
    try:
        for rows in _made(database, mark):
            with database.write() as transaction:
                if not stale.holds(transaction, mark):
                    return False
                rollup.write(transaction, rows)
        if mark.level is Level.ALL_HOUR:
            with database.read() as transaction:
                hour = minutes.made(transaction, mark)
            with database.write() as transaction:
                if not stale.holds(transaction, mark):
                    return False
                minutes.write(transaction, mark, hour)
        if mark.level is Level.ALL_DAY:
            with database.read() as transaction:
                day = _history(transaction, trees or FunctionTrees(SymbolReader()), mark)
            with database.write() as transaction:
                if not stale.holds(transaction, mark):
                    return False
                history.write(transaction, mark, day)
    except _TooLargeError:
        return False
    with database.write() as transaction:
        return stale.remove(transaction, mark)


def _history(transaction: sa.Connection, trees: FunctionTrees, mark: Mark) -> Day:
    """Hour by hour, so that the sums of one are in memory."""
    hours = []
    everything = np.zeros((COSTS, DAY_HOURS), np.int64)
    scope = Group(mark.profile_type, (mark.scope_id,))
    for place in range(DAY_HOURS):
        hour = mark.hour + place
        within = hours_range(range(hour, hour + 1))
        with closing(samples.compacted(transaction, [scope], within)) as parts:
            sums = added(parts)
        found = trees.forest(transaction, sums, ProfileType(mark.profile_type, ""))
        costs = top.costs(found)
        held = costs.held
        columns = (costs.self_samples, costs.samples, costs.self_values, costs.totals)
        hours.append(([found.keys[i] for i in held.tolist()], [one[held] for one in columns]))
        everything[:, place] = sums.samples, sums.samples, sums.value, sums.value
    keys = {key: number for number, key in enumerate({key for keys, _ in hours for key in keys})}
    table = np.zeros((COSTS, len(keys), DAY_HOURS), np.int64)
    for place, (names, numbers) in enumerate(hours):
        table[:, [keys[name] for name in names], place] = numbers
    return Day(list(keys), table, everything)


def _made(database: Database, mark: Mark) -> Iterator[list[Rollup]]:
    """The new rollups: of a day, also those of its series."""
    everything = _Sums(mark, mark.level, ALL)
    run = Run(Level.SERIES_HOUR, mark.hour, mark.hour + mark.level.hours)
    scope = Group(mark.profile_type, (mark.scope_id,))
    with database.read() as transaction:
        numbers = rollup.series(transaction, scope, run)
    for chosen in _batches(numbers):
        series = {number: _Sums(mark, Level.SERIES_DAY, number) for number in chosen}
        with (
            database.read() as transaction,
            closing(rollup.read(transaction, replace(scope, numbers=chosen), run)) as rows,
        ):
            for row in rows:
                everything.add(row)
                if mark.level is Level.ALL_DAY:
                    series[row.key.series_id].add(row)
        made = [row for one in series.values() for row in one.rollups()]
        if made:
            yield made
    yield everything.rollups()


def _batches(numbers: list[int]) -> Iterator[tuple[int, ...]]:
    for start in range(0, len(numbers), _SERIES_AT_ONCE):
        yield tuple(numbers[start : start + _SERIES_AT_ONCE])


class _Sums:
    """Adds rollups up to those of one level, hour and series: one an epoch and period."""

    def __init__(self, mark: Mark, level: Level, series_id: int) -> None:
        self._key = Key(mark.scope_id, mark.profile_type, level, mark.hour, series_id, 0, 0)
        self._sums: dict[Key, _Sum] = {}

    def add(self, row: Rollup) -> None:
        key = replace(self._key, epoch=row.key.epoch, period=row.key.period)
        self._sums.setdefault(key, _Sum()).add(row)

    def rollups(self) -> list[Rollup]:
        return [Rollup(key, one.totals, one.entries) for key, one in self._sums.items()]


class _Sum:
    def __init__(self) -> None:
        self.totals = Totals()
        self._parts: list[Entries] = []
        self._nodes = 0

    def add(self, row: Rollup) -> None:
        self.totals += row.totals
        if max(self.totals.samples, self.totals.value) > LARGEST_SUM:
            raise _TooLargeError
        self._parts.append(row.entries)
        self._nodes += len(row.entries.nodes)
        if self._nodes > _PENDING_NODES:
            self._parts = [self.entries]
            self._nodes = 0

    @property
    def entries(self) -> Entries:
        return sums(self._parts)
