"""Which scopes and series there are, and which of them a selector means."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeVar

import sqlalchemy as sa

from profiler.model import Labels, ProfileType
from profiler.selector import Selector
from server.store.database import insert_all_new
from server.store.hours import HOUR_NS, TimeRange
from server.store.schema import hot, label, scope, series

SERVICE = "service_name"
"""The label whose value names the scope."""


_A_STATEMENT = 1000
"""SQLite takes 32,766 parameters a statement."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Scope:
    """A service's space of numbers; `epoch` is the one that new samples are written in."""

    scope_id: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Series:
    scope_id: int
    series_id: int
    unit: str
    labels: Mapping[str, str]


def open_scopes(
    transaction: sa.Connection, tenant: str, services: Iterable[str], now_ns: int
) -> tuple[dict[str, Scope], set[str]]:
    """The scopes of some services; those that did not exist are made, and named in the set."""
    wanted = sorted(services)
    found = dict(_scopes(transaction, tenant, wanted))
    missing = [service for service in wanted if service not in found]
    if not missing:
        return found, set()
    rows: list[dict[str, object]] = [
        {"tenant": tenant, "service": service, "epoch": 0, "began_ns": now_ns}
        for service in missing
    ]
    made = insert_all_new(transaction, scope, rows, [scope.c.service])
    found |= _scopes(transaction, tenant, missing)
    return found, {service for (service,) in made}


def _scopes(
    transaction: sa.Connection, tenant: str, services: Sequence[str]
) -> Iterator[tuple[str, Scope]]:
    columns = (scope.c.service, scope.c.scope_id, scope.c.epoch)
    for some in _slices(services):
        wanted = sa.select(*columns).where(scope.c.tenant == tenant, scope.c.service.in_(some))
        for service, scope_id, epoch in transaction.execute(wanted):
            yield service, Scope(scope_id, epoch)


def epochs(transaction: sa.Connection, scope_ids: Sequence[int]) -> dict[int, int]:
    """The present epoch of each scope."""
    columns = sa.select(scope.c.scope_id, scope.c.epoch)
    return {
        scope_id: epoch
        for some in _slices(scope_ids)
        for scope_id, epoch in transaction.execute(columns.where(scope.c.scope_id.in_(some)))
    }


def begin_epoch(transaction: sa.Connection, old: Scope, now_ns: int) -> Scope:
    """The scope in the epoch after `old`; another server may have begun it."""
    mine = scope.c.scope_id == old.scope_id
    transaction.execute(
        scope.update()
        .where(mine, scope.c.epoch == old.epoch)
        .values(epoch=old.epoch + 1, began_ns=now_ns)
    )
    return Scope(*transaction.execute(sa.select(scope.c.scope_id, scope.c.epoch).where(mine)).one())


@dataclass(frozen=True, slots=True)
class SeriesName:
    """What names a series."""

    scope_id: int
    type: ProfileType
    labels: Labels


def open_series(transaction: sa.Connection, names: Sequence[SeriesName]) -> list[int]:
    """The number of each series in its scope, given to it where it had none."""
    keys = [(name.scope_id, labels_hash(name.type, name.labels)) for name in names]
    numbers: dict[tuple[int, bytes], int] = {}
    while missing := {
        key: name for key, name in zip(keys, names, strict=True) if key not in numbers
    }:
        # Another server may take a number, or number one of these series: then look again.
        numbers |= dict(_known_series(transaction, missing))
        new = {key: name for key, name in missing.items() if key not in numbers}
        if new:
            _add_series(transaction, new)
    return [numbers[key] for key in keys]


def _known_series(
    transaction: sa.Connection, keys: Collection[tuple[int, bytes]]
) -> Iterator[tuple[tuple[int, bytes], int]]:
    columns = sa.select(series.c.scope_id, series.c.labels_hash, series.c.series_id)
    for some in _slices(sorted(keys)):
        scope_ids, hashes = {scope_id for scope_id, _ in some}, {hashed for _, hashed in some}
        chosen = columns.where(series.c.scope_id.in_(scope_ids), series.c.labels_hash.in_(hashes))
        for scope_id, hashed, number in transaction.execute(chosen):
            yield (scope_id, hashed), number


def _add_series(transaction: sa.Connection, names: Mapping[tuple[int, bytes], SeriesName]) -> None:
    """Adds those of which neither name nor number has been taken meanwhile."""
    highest = dict(_highest_series(transaction, sorted({scope_id for scope_id, _ in names})))
    rows: list[dict[str, object]] = []
    for (scope_id, hashed), name in names.items():
        highest[scope_id] = highest.get(scope_id, 0) + 1
        rows.append(
            {
                "scope_id": scope_id,
                "series_id": highest[scope_id],
                "profile_type": name.type.name,
                "unit": name.type.unit,
                "labels": _canonical(dict(name.labels)),
                "labels_hash": hashed,
            }
        )
    key = (series.c.scope_id, series.c.labels_hash, series.c.series_id)
    labels = [
        {"scope_id": scope_id, "series_id": number, "name": name, "value": value}
        for scope_id, hashed, number in insert_all_new(transaction, series, rows, key)
        for name, value in names[scope_id, hashed].labels
    ]
    if labels:
        transaction.execute(label.insert(), labels)


def _highest_series(
    transaction: sa.Connection, scope_ids: Sequence[int]
) -> Iterator[tuple[int, int]]:
    columns = sa.select(series.c.scope_id, sa.func.max(series.c.series_id))
    for some in _slices(scope_ids):
        chosen = columns.where(series.c.scope_id.in_(some)).group_by(series.c.scope_id)
        yield from map(tuple, transaction.execute(chosen))


def labels_hash(type: ProfileType, labels: Labels) -> bytes:
    """128 bits: nobody finds two series with equal hashes."""
    return blake2b(_canonical([type.name, type.unit, labels]).encode(), digest_size=16).digest()


def profile_types(transaction: sa.Connection, tenant: str) -> list[ProfileType]:
    """The profile types there are, by name."""
    columns = (series.c.profile_type, series.c.unit)
    wanted = sa.select(*columns).join(scope).where(scope.c.tenant == tenant).distinct()
    return [ProfileType(*row) for row in transaction.execute(wanted.order_by(*columns))]


def select(
    transaction: sa.Connection,
    tenant: str,
    selector: Selector,
    within: TimeRange | None = None,
) -> list[Series]:
    """The series that `selector` means; in a range, at least those that have samples there."""
    wanted = (
        sa.select(series.c.scope_id, series.c.series_id, series.c.unit, series.c.labels)
        .join(scope)
        .where(scope.c.tenant == tenant, series.c.profile_type == selector.profile_type)
        .where(*_equalities(selector))
        .order_by(series.c.scope_id, series.c.series_id)
    )
    if within is not None:
        wanted = wanted.where(_may_have_samples(within))
    rows = (
        Series(scope_id, series_id, unit, json.loads(labels))
        for scope_id, series_id, unit, labels in transaction.execute(wanted)
    )
    return [row for row in rows if selector.matches(row.labels)]


def _equalities(selector: Selector) -> Iterator[sa.ColumnElement[bool]]:
    """What the index can say of a selector; the rest is matched outside."""
    for matcher in selector.matchers:
        if matcher.op != "=" or matcher.value == "" or "\0" in matcher.value:
            continue  # "" means no such label; SQL text cannot hold a NUL
        if matcher.name == SERVICE:
            yield scope.c.service == matcher.value
        else:
            yield (
                sa.exists()
                .where(label.c.scope_id == series.c.scope_id)
                .where(label.c.name == matcher.name, label.c.value == matcher.value)
                .where(label.c.series_id == series.c.series_id)
            )


def counts(
    transaction: sa.Connection, tenant: str, profile_type: str, within: TimeRange
) -> dict[int, int]:
    """By scope, how many series `select` would find in the range for a selector of all."""
    wanted = (
        sa.select(series.c.scope_id, sa.func.count())
        .join(scope)
        .where(scope.c.tenant == tenant, series.c.profile_type == profile_type)
        .where(_may_have_samples(within))
        .group_by(series.c.scope_id)
    )
    return {scope_id: count for scope_id, count in transaction.execute(wanted)}


def compacted(transaction: sa.Connection, scope_id: int, series_id: int, hour: int) -> None:
    """Remembers that a series has a chunk in an hour."""
    mine = (series.c.scope_id == scope_id, series.c.series_id == series_id)
    transaction.execute(
        series.update().where(*mine, series.c.last_hour < hour).values(last_hour=hour)
    )


def _may_have_samples(within: TimeRange) -> sa.ColumnElement[bool]:
    """What was dead before the range is not looked at."""
    hot_rows = (
        sa.exists()
        .where(hot.c.scope_id == series.c.scope_id, hot.c.series_id == series.c.series_id)
        .where(hot.c.t0_ns >= within.from_ns, hot.c.t0_ns < within.to_ns)
    )
    return (series.c.last_hour >= within.from_ns // HOUR_NS) | hot_rows


def _slices(things: Sequence[T]) -> Iterator[Sequence[T]]:
    """For a statement each."""
    for start in range(0, len(things), _A_STATEMENT):
        yield things[start : start + _A_STATEMENT]


def _canonical(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
