"""Which scopes and series there are, and which of them a selector means."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import sqlalchemy as sa

from profiler.model import Labels, ProfileType
from profiler.selector import Selector
from server.store.database import insert_new
from server.store.hours import HOUR_NS, TimeRange
from server.store.schema import hot, label, scope, series

SERVICE = "service_name"
"""The label whose value names the scope."""


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


def open_scope(transaction: sa.Connection, tenant: str, service: str, now_ns: int) -> Scope:
    """The scope of a service, made where there was none."""
    wanted = sa.select(scope.c.scope_id, scope.c.epoch).where(
        scope.c.tenant == tenant, scope.c.service == service
    )
    found = transaction.execute(wanted).one_or_none()
    if found is None:
        insert_new(transaction, scope, tenant=tenant, service=service, epoch=0, began_ns=now_ns)
        found = transaction.execute(wanted).one()
    return Scope(*found)


def epochs(transaction: sa.Connection, scope_ids: Sequence[int]) -> dict[int, int]:
    """The present epoch of each scope."""
    wanted = sa.select(scope.c.scope_id, scope.c.epoch).where(scope.c.scope_id.in_(scope_ids))
    return {scope_id: epoch for scope_id, epoch in transaction.execute(wanted)}


def begin_epoch(transaction: sa.Connection, old: Scope, now_ns: int) -> Scope:
    """The scope in the epoch after `old`; another server may have begun it."""
    mine = scope.c.scope_id == old.scope_id
    transaction.execute(
        scope.update()
        .where(mine, scope.c.epoch == old.epoch)
        .values(epoch=old.epoch + 1, began_ns=now_ns)
    )
    return Scope(*transaction.execute(sa.select(scope.c.scope_id, scope.c.epoch).where(mine)).one())


def open_series(
    transaction: sa.Connection, scope_id: int, type: ProfileType, labels: Labels
) -> int:
    """The number of a series in its scope, given to it where it had none."""
    hashed = labels_hash(type, labels)
    mine = series.c.scope_id == scope_id
    known = sa.select(series.c.series_id).where(mine, series.c.labels_hash == hashed)
    highest = sa.select(sa.func.coalesce(sa.func.max(series.c.series_id), 0)).where(mine)
    while (number := transaction.execute(known).scalar()) is None:
        # Another server may take the number, or number this series: then look again.
        number = transaction.execute(highest).scalar_one() + 1
        if insert_new(
            transaction,
            series,
            scope_id=scope_id,
            series_id=number,
            profile_type=type.name,
            unit=type.unit,
            labels=_canonical(dict(labels)),
            labels_hash=hashed,
        ):
            _index(transaction, scope_id, number, labels)
    return int(number)


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


def _index(transaction: sa.Connection, scope_id: int, number: int, labels: Labels) -> None:
    rows = [
        {"scope_id": scope_id, "series_id": number, "name": name, "value": value}
        for name, value in labels
    ]
    if rows:
        transaction.execute(label.insert(), rows)


def _canonical(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
