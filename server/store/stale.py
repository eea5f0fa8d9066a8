"""Which rollups are older than what is below them.

Whoever changes a chunk marks its hour and its day, in the same transaction and before anything
else. While a mark stands, no query uses the rollups that it speaks of. Who renews them reads the
mark's version, then what is below, and takes the mark away only if it still has that version: a
version is never used twice. So a rollup that is used equals what is below it, whoever was killed
when. On PostgreSQL the mark is also the lock under which the chunks of an hour are changed.
"""

import secrets
from collections import defaultdict
from dataclasses import dataclass

import sqlalchemy as sa

from server.store.database import upsert
from server.store.hours import DAY_HOURS
from server.store.plan import Level, Stale
from server.store.schema import stale


@dataclass(frozen=True, slots=True)
class Mark:
    """`level` is ALL_HOUR or ALL_DAY; of a day, the rollups of its series are meant too."""

    scope_id: int
    profile_type: str
    level: Level
    hour: int
    version: int


def mark(transaction: sa.Connection, scope_id: int, profile_type: str, hour: int) -> None:
    """Marks what is above an hour; on PostgreSQL, waits for whoever else is changing it."""
    day = hour // DAY_HOURS * DAY_HOURS
    for level, first in ((Level.ALL_HOUR, hour), (Level.ALL_DAY, day)):
        upsert(
            transaction,
            stale,
            scope_id=scope_id,
            profile_type=profile_type,
            level=level,
            hour=first,
            version=secrets.randbits(63),
        )


def read(transaction: sa.Connection, profile_type: str) -> dict[int, Stale]:
    """What is out of date, by scope: at any time the present day, and what has come late."""
    wanted = sa.select(stale.c.scope_id, stale.c.level, stale.c.hour).where(
        stale.c.profile_type == profile_type
    )
    found: dict[int, dict[Level, set[int]]] = defaultdict(
        lambda: {Level.ALL_HOUR: set(), Level.ALL_DAY: set()}
    )
    for scope_id, level, hour in transaction.execute(wanted):
        found[scope_id][Level(level)].add(hour)
    return {
        scope_id: Stale(frozenset(by_level[Level.ALL_HOUR]), frozenset(by_level[Level.ALL_DAY]))
        for scope_id, by_level in found.items()
    }


def marks(transaction: sa.Connection, level: Level) -> list[Mark]:
    """All of ALL_HOUR or ALL_DAY."""
    wanted = sa.select(stale).where(stale.c.level == level)
    return [
        Mark(row.scope_id, row.profile_type, Level(row.level), row.hour, row.version)
        for row in transaction.execute(wanted)
    ]


def holds(transaction: sa.Connection, mark: Mark) -> bool:
    """Whether nothing has changed below since the mark was read; then nothing does until the
    transaction ends."""
    version = sa.select(stale.c.version).where(*_key(mark)).with_for_update()
    return transaction.execute(version).scalar() == mark.version


def remove(transaction: sa.Connection, mark: Mark) -> bool:
    """Takes the mark away if it `holds`."""
    unchanged = stale.c.version == mark.version
    return transaction.execute(stale.delete().where(*_key(mark), unchanged)).rowcount == 1


def _key(mark: Mark) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        stale.c.scope_id == mark.scope_id,
        stale.c.profile_type == mark.profile_type,
        stale.c.level == mark.level,
        stale.c.hour == mark.hour,
    )
