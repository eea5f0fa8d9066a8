"""Epochs: a scope's symbols begin anew from time to time, and are dropped whole.

Functions that are not called any more stay in a log for ever. So a scope begins a new epoch when
its log is large or a month old, and an old one goes when nothing speaks of its nodes any more.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import sqlalchemy as sa

from server.store import catalog
from server.store.database import Database
from server.store.hours import DAY_HOURS, HOUR_NS
from server.store.schema import chunk, frame_log, hot, node_log, rollup, scope

LONGEST_NS = 30 * DAY_HOURS * HOUR_NS

_A_STATEMENT = 1000
"""SQLite takes 32,766 parameters a statement."""

_GRACE_NS = DAY_HOURS * HOUR_NS
"""After the beginning of the next one, before an epoch is dropped. Who writes looks at the epoch in
each transaction, and none takes that long."""


def steps(database: Database, tenant: str, now_ns: int) -> Iterator[Callable[[], object]]:
    with database.read() as transaction:
        wanted = sa.select(scope.c.scope_id, scope.c.epoch, scope.c.began_ns)
        scopes = transaction.execute(wanted.where(scope.c.tenant == tenant)).all()
        oldest = {
            scope_id: epoch
            for log in (frame_log, node_log)
            for scope_id, epoch in transaction.execute(
                sa.select(log.c.scope_id, sa.func.min(log.c.epoch)).group_by(log.c.scope_id)
            )
        }
    for scope_id, epoch, began_ns in scopes:
        if scope_id not in oldest:
            continue
        if began_ns + LONGEST_NS <= now_ns:
            yield partial(_begin, database, catalog.Scope(scope_id, epoch), now_ns)
        if oldest[scope_id] < epoch and began_ns + _GRACE_NS <= now_ns:
            yield partial(_drop, database, scope_id, oldest[scope_id])


def logs(transaction: sa.Connection, scope_ids: Sequence[int]) -> list[tuple[int, int]]:
    """The scopes' logs, of all epochs: scope and epoch."""
    table = frame_log
    wanted = sa.select(table.c.scope_id, table.c.epoch).distinct()
    return sorted(
        (scope_id, epoch)
        for start in range(0, len(scope_ids), _A_STATEMENT)
        for scope_id, epoch in transaction.execute(
            wanted.where(table.c.scope_id.in_(scope_ids[start : start + _A_STATEMENT]))
        )
    )


def _begin(database: Database, old: catalog.Scope, now_ns: int) -> None:
    with database.write() as transaction:
        catalog.begin_epoch(transaction, old, now_ns)


def _drop(database: Database, scope_id: int, epoch: int) -> None:
    with database.write() as transaction:
        used = (
            sa.exists().where(table.c.scope_id == scope_id, table.c.epoch == epoch)
            for table in (hot, chunk, rollup)
        )
        if not transaction.execute(sa.select(sa.or_(*used))).scalar_one():
            for log in (frame_log, node_log):
                mine = (log.c.scope_id == scope_id, log.c.epoch == epoch)
                transaction.execute(log.delete().where(*mine))
