"""How much a database holds: what `profiler db` prints, and what a limit of bytes is about."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from server.store import distribution
from server.store.database import Database
from server.store.schema import (
    chunk,
    function_history,
    hot,
    metadata,
    node_log,
    rollup,
    scope,
    stale,
)

_ROW_BYTES = 120
"""What a row takes beside its blobs: its other columns, and its keys."""

_ON_WORKERS = (
    "SELECT relname, citus_total_relation_size(logicalrelid, false) "
    "FROM pg_dist_partition JOIN pg_class ON pg_class.oid = logicalrelid"
)
"""What of a table is there in PostgreSQL itself is empty then."""


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    rows: int
    bytes: int
    """With its indexes, as the database says."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """`bytes` is the size of the file or database, of which `free_bytes` hold nothing; `entries`
    are those of hot rows and chunks, `epochs` and `nodes` those of all scopes; `lag_ns` is how old
    the oldest hot row is, `stale` how many hours and days are to be summed up."""

    tables: tuple[Table, ...]
    bytes: int
    free_bytes: int
    entries: int
    epochs: int
    nodes: int
    lag_ns: int
    stale: int


def holdings(database: Database, now_ns: int) -> Holdings:
    """Counts rows: some seconds for a database of many gigabytes."""
    with database.read() as transaction:
        sizes = dict(_sizes(transaction))
        tables = tuple(
            Table(name, _rows(transaction, table), sizes.get(name, 0))
            for name, table in sorted(metadata.tables.items())
        )

        def one(expression: sa.ColumnElement[int]) -> int:
            return int(transaction.execute(sa.select(expression)).scalar() or 0)

        epochs = sa.select(node_log.c.scope_id, node_log.c.epoch).distinct().subquery()
        oldest_ns = one(sa.func.min(hot.c.t0_ns))
        return Holdings(
            tables,
            *_file(transaction),
            entries=one(sa.func.sum(hot.c.n)) + one(sa.func.sum(chunk.c.n)),
            epochs=_rows(transaction, epochs),
            nodes=one(sa.func.sum(node_log.c.n)),
            lag_ns=max(now_ns - oldest_ns, 0) if oldest_ns else 0,
            stale=_rows(transaction, stale),
        )


def live(transaction: sa.Connection) -> int:
    """About the bytes of all rows there are; what was deleted may still take room in a file."""
    total = 0
    for table in metadata.tables.values():
        total += _ROW_BYTES * _rows(transaction, table)
        for column in table.columns:
            if isinstance(column.type, sa.LargeBinary):
                total += int(transaction.execute(sa.select(_length(column))).scalar() or 0)
    return total


def chunks_by_hour(transaction: sa.Connection, tenant: str) -> list[tuple[int, int]]:
    """(hour, bytes) of the chunks, the oldest first."""
    bytes = _length(chunk.c.times) + _length(chunk.c.entries) + _ROW_BYTES * sa.func.count()
    return list(_by_hour(transaction, tenant, chunk, bytes))


def rollups_by_hour(transaction: sa.Connection, tenant: str) -> list[tuple[int, int]]:
    """Those of the function history go with them."""
    held: Counter[int] = Counter()
    for table, blob in ((rollup, rollup.c.sums), (function_history, function_history.c.costs)):
        bytes = _length(blob) + _ROW_BYTES * sa.func.count()
        held.update(dict(_by_hour(transaction, tenant, table, bytes)))
    return sorted(held.items())


def _by_hour(
    transaction: sa.Connection, tenant: str, table: sa.Table, bytes: sa.ColumnElement[int]
) -> Iterator[tuple[int, int]]:
    wanted = (
        sa.select(table.c.hour, bytes)
        .join(scope, scope.c.scope_id == table.c.scope_id)
        .where(scope.c.tenant == tenant)
        .group_by(table.c.hour)
        .order_by(table.c.hour)
    )
    for hour, found in transaction.execute(wanted):
        yield hour, int(found)


def _length(column: sa.Column[bytes]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(sa.func.length(column)), 0)


def _rows(transaction: sa.Connection, table: sa.FromClause) -> int:
    return transaction.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def _sizes(transaction: sa.Connection) -> Iterator[tuple[str, int]]:
    """The bytes of each table with its indexes; nothing where SQLite was built without dbstat."""
    if transaction.dialect.name != "sqlite":
        wanted = "SELECT relname, pg_total_relation_size(relid) FROM pg_stat_user_tables"
        if distribution.installed(transaction):
            wanted = f"{wanted} UNION ALL {_ON_WORKERS}"
    elif transaction.execute(
        sa.text("SELECT count(*) FROM pragma_module_list WHERE name = 'dbstat'")
    ).scalar():
        wanted = (
            "SELECT named.tbl_name, sum(pages.pgsize) FROM dbstat AS pages "
            "JOIN sqlite_schema AS named ON named.name = pages.name "
            "WHERE pages.aggregate = TRUE GROUP BY named.tbl_name"
        )
    else:
        return
    for name, size in transaction.execute(sa.text(wanted)):
        yield name, int(size)


def _file(transaction: sa.Connection) -> tuple[int, int]:
    """Bytes in all, and those that hold nothing: SQLite writes to these before the file grows."""
    if transaction.dialect.name != "sqlite":
        whole = sa.func.pg_database_size(sa.func.current_database())
        here = int(transaction.execute(sa.select(whole)).scalar_one())
        if not distribution.installed(transaction):
            return here, 0
        return here + sum(size for _, size in transaction.execute(sa.text(_ON_WORKERS))), 0
    pages, free, size = (
        int(transaction.exec_driver_sql(f"PRAGMA {name}").scalar_one())
        for name in ("page_count", "freelist_count", "page_size")
    )
    return pages * size, free * size
