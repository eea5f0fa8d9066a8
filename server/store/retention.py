"""Retention: what is given up with age, level by level, and what is then removed.

A horizon moves first, in a transaction of a few microseconds; queries stop at it from then on, and
what lies before it is removed in small transactions. Each of them may be cut short, repeated, or
done by two servers at once.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

import sqlalchemy as sa

from server.store import accounts, archive, deploys, epochs, horizon, hot, running, size
from server.store.chunk import thinned
from server.store.database import Database
from server.store.group import Group
from server.store.horizon import Horizon
from server.store.hours import DAY_HOURS, HOUR_NS, hours_range
from server.store.schema import chunk, function_history, minutes, rollup, scope, stale

Step = Callable[[], object]

MINUTE_NS = HOUR_NS // 60


@dataclass(frozen=True, slots=True)
class Ages:
    """How many hours each level is kept; None: for ever."""

    raw: int | None = 7 * DAY_HOURS
    minute: int | None = 30 * DAY_HOURS
    hour: int | None = 400 * DAY_HOURS

    def moved(self, present: Horizon, now_hour: int) -> Horizon:
        """Where the horizon is to be; it never goes back."""
        hour = max(present.hour, _before(now_hour, self.hour))
        minute = max(present.minute, _before(now_hour, self.minute), hour)
        raw = max(present.raw, _before(now_hour, self.raw), minute)
        return replace(present, raw=raw, minute=minute, hour=hour)


def _before(now_hour: int, age: int | None) -> int:
    return 0 if age is None else now_hour - age


@dataclass(frozen=True, slots=True)
class Policy:
    """Ages by profile type, `ages` of the others; and about how many bytes there may be, whatever
    their age."""

    ages: Ages = field(default_factory=Ages)
    types: Mapping[str, Ages] = field(default_factory=dict)
    size_bytes: int | None = None

    def of(self, profile_type: str) -> Ages:
        return self.types.get(profile_type, self.ages)


def phases(database: Database, tenant: str, policy: Policy, now_ns: int) -> Iterator[list[Step]]:
    """What is to do, in steps of some milliseconds; each phase is looked up when the one before
    is done."""
    now_hour = now_ns // HOUR_NS
    with database.read() as transaction:
        types = horizon.profile_types(transaction, tenant)
        present = {name: horizon.read(transaction, tenant, name) for name in types}
        fitting = _fitting(transaction, tenant, policy.size_bytes, now_hour)
    retained = [
        _Retained(database, tenant, name, _later(policy.of(name).moved(old, now_hour), fitting))
        for name, old in present.items()
    ]
    yield [one.give_up_profiles for one in retained]
    yield [step for one in retained for step in one.minutes()]
    yield [step for one in retained for step in one.chunks()]
    yield [step for one in retained for step in one.thinning()]
    yield [one.give_up_everything for one in retained]
    yield [step for one in retained for step in one.sums()]
    yield list(epochs.steps(database, tenant, now_ns))
    yield [partial(_forget_versions, database, tenant)]


def _forget_versions(database: Database, tenant: str) -> None:
    """What was last seen before everything that is kept of any type."""
    with database.write() as transaction:
        types = horizon.profile_types(transaction, tenant)
        hours = [horizon.read(transaction, tenant, name).hour for name in types]
        before_ns = min(hours, default=0) * HOUR_NS
        deploys.drop(transaction, tenant, before_ns)
        running.drop(transaction, tenant, before_ns)


def _later(one: Horizon, other: Horizon) -> Horizon:
    hour = max(one.hour, other.hour)
    minute = max(one.minute, other.minute, hour)
    return replace(one, raw=max(one.raw, other.raw, minute), minute=minute, hour=hour)


def _fitting(
    transaction: sa.Connection, tenant: str, size_bytes: int | None, now_hour: int
) -> Horizon:
    """Where the horizon must be so that no more bytes are held: chunks go first, the oldest ones,
    then sums; the present hour stays."""
    if size_bytes is None:
        return Horizon()
    excess = size.live(transaction) - size_bytes
    minute, excess = _freed(size.chunks_by_hour(transaction, tenant), excess, now_hour)
    hour, _ = _freed(size.rollups_by_hour(transaction, tenant), excess, now_hour)
    return Horizon(minute=minute, hour=hour)


def _freed(held: Iterable[tuple[int, int]], excess: int, now_hour: int) -> tuple[int, int]:
    """The hour before which so many bytes lie, and how many are still too many then."""
    before = 0
    for hour, found in held:
        if excess <= 0 or hour >= now_hour:
            break
        before, excess = hour + 1, excess - found
    return before, excess


@dataclass(frozen=True, slots=True)
class _Retained:
    """A profile type, and where its horizon is to be."""

    database: Database
    tenant: str
    profile_type: str
    target: Horizon

    def give_up_profiles(self) -> None:
        """From then on no batch of that time is taken, so that their accounts may be folded."""
        with self._moving() as (transaction, present):
            self._move(transaction, replace(present, raw=max(present.raw, self.target.raw)))

    def minutes(self) -> Iterator[Step]:
        """Gives up all but the sums of hours, as far as everything is compacted."""
        with self.database.read() as transaction:
            end = min(self.target.minute, self._first_hot(transaction))
        yield from self._folding(self._present().minute, end, HOUR_NS)
        yield self.give_up_minutes

    def give_up_minutes(self) -> None:
        with self._moving() as (transaction, present):
            compacted = min(self.target.minute, self._first_hot(transaction))
            self._move(transaction, replace(present, minute=max(present.minute, compacted)))

    def chunks(self) -> Iterator[Step]:
        """Removes those of which only sums are kept."""
        before = self._present().minute
        for table in (chunk, minutes):
            for scope_id, hour in self._held(table, range(before)):
                yield partial(self._remove, table, scope_id, hour)

    def thinning(self) -> Iterator[Step]:
        """Merges profiles to minutes."""
        present = self._present()
        first = max(present.thinned, present.minute)
        yield from self._folding(first, present.raw, MINUTE_NS)
        for scope_id, hour in self._held(chunk, range(first, present.raw), ~chunk.c.thinned):
            yield partial(self._thin, scope_id, hour)
        yield self.finish_thinning

    def finish_thinning(self) -> None:
        """Nothing of it is looked at again, if nothing is left to be done."""
        with self._moving() as (transaction, present):
            hours = range(present.minute, present.raw)
            if self._first_hot(transaction) >= present.raw and not self._held(
                chunk, hours, ~chunk.c.thinned
            ):
                self._move(transaction, replace(present, thinned=present.raw))

    def give_up_everything(self) -> None:
        with self._moving() as (transaction, present):
            hour = min(self.target.hour, present.minute)
            self._move(transaction, replace(present, hour=max(present.hour, hour)))

    def sums(self) -> Iterator[Step]:
        """Removes what is left before the last horizon; a day that it cuts is not read either."""
        before = self._present().hour
        for table in (rollup, function_history, stale):
            for scope_id, hour in self._held(table, range(before)):
                yield partial(self._remove, table, scope_id, hour)
        yield partial(self._forget, before)

    def _present(self) -> Horizon:
        with self.database.read() as transaction:
            return horizon.read(transaction, self.tenant, self.profile_type)

    @contextmanager
    def _moving(self) -> Iterator[tuple[sa.Connection, Horizon]]:
        with self.database.write() as transaction:
            yield transaction, horizon.take(transaction, self.tenant, self.profile_type)

    def _move(self, transaction: sa.Connection, moved: Horizon) -> None:
        horizon.write(transaction, self.tenant, self.profile_type, moved)

    def _first_hot(self, transaction: sa.Connection) -> int:
        first = hot.first_hour(transaction, self.tenant, self.profile_type)
        return self.target.raw if first is None else first

    def _held(
        self, table: sa.Table, hours: range, *conditions: sa.ColumnElement[bool]
    ) -> list[tuple[int, int]]:
        """Scopes and hours of which a table has rows."""
        key = (table.c.scope_id, table.c.hour)
        wanted = (
            sa.select(*key)
            .join(scope, scope.c.scope_id == table.c.scope_id)
            .where(scope.c.tenant == self.tenant, table.c.profile_type == self.profile_type)
            .where(table.c.hour >= hours.start, table.c.hour < hours.stop, *conditions)
            .distinct()
            .order_by(table.c.hour)
        )
        with self.database.read() as transaction:
            return [(scope_id, hour) for scope_id, hour in transaction.execute(wanted)]

    def _folding(self, first: int, end: int, unit_ns: int) -> Iterator[Step]:
        with self.database.read() as transaction:
            hours = accounts.hours(transaction, self.tenant, self.profile_type, range(first, end))
        for hour in hours:
            yield partial(self._fold, hour, unit_ns)

    def _fold(self, hour: int, unit_ns: int) -> None:
        within = hours_range(range(hour, hour + 1))
        with self.database.write() as transaction:
            accounts.fold(transaction, self.tenant, self.profile_type, within, unit_ns)

    def _forget(self, hour: int) -> None:
        with self.database.write() as transaction:
            accounts.drop(transaction, self.tenant, self.profile_type, hour * HOUR_NS)

    def _remove(self, table: sa.Table, scope_id: int, hour: int) -> None:
        mine = (table.c.scope_id == scope_id, table.c.profile_type == self.profile_type)
        with self.database.write() as transaction:
            transaction.execute(table.delete().where(*mine, table.c.hour == hour))

    def _thin(self, scope_id: int, hour: int) -> None:
        """Nobody else writes these chunks: no hot row of that time is left, and none will come."""
        group = Group(self.profile_type, (scope_id,))
        with self.database.write() as transaction:
            if self._first_hot(transaction) <= hour:
                return
            for key in archive.keys(transaction, group, hour, ~chunk.c.thinned):
                found = archive.read_one(transaction, key)
                merged = thinned(found.chunk(), MINUTE_NS)
                archive.write_profiles(transaction, key, merged, found.nodes, thinned=True)
