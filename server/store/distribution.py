"""Spreads the tables over the workers of a Citus cluster: PostgreSQL on several machines.

    distribute(database)  # after the migrations, and again after newer ones

All rows of a scope lie on one worker. So what is moved from table to table is moved by one worker's
transaction, joins are made where the rows are, and a reader that keeps to one connection a worker
(see `database`) sees a scope in one snapshot. Citus wants the distribution column in each unique
key, which decides where the other tables go.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from profiler.errors import UnavailableError, UsageError
from server.store import migrations
from server.store.database import Database
from server.store.schema import metadata

EVERY_NODE = "every node"
"""A whole copy on each: Citus' reference tables."""

_SCOPE = "scope_id"

DISTRIBUTED_BY: Mapping[str, str] = {
    # Unique by tenant and service, joined with everything; written when a service is new.
    "scope": EVERY_NODE,
    "series": _SCOPE,
    "label": _SCOPE,
    "frame_log": _SCOPE,
    "node_log": _SCOPE,
    "hot": _SCOPE,
    "chunk": _SCOPE,
    "rollup": _SCOPE,
    "function_history": _SCOPE,
    "minutes": _SCOPE,
    "stale": _SCOPE,
    # Unique by tenant and profile type, and joined with nothing. Each batch locks a row of it,
    # which in a copy on each node would be a lock on each node.
    "horizon": "tenant",
    # One row a batch, whatever its services; by its tenant alone all would be on one worker.
    "drain": "host_name",
    # Looked up by these, a few rows at once, and joined with nothing.
    "deploy": "key",
    "running": "host_name",
    # A few rows, which are looked at together.
    "recording": "tenant",
    "alert": "tenant",
}
"""By table, the column; in the order in which they are distributed."""

_FIRST = next(name for name, column in DISTRIBUTED_BY.items() if column == _SCOPE)
"""The table beside which all others of a scope lie."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Of a table: its column or `EVERY_NODE`, and the group of those that lie side by side."""

    column: str
    group: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a database says of itself; `tables` are those that are distributed, `nodes` those that
    take rows."""

    coordinator: bool
    nodes: int
    tables: Mapping[str, Placement]


def check(database: Database) -> Cluster:
    """Raises UsageError or UnavailableError, with the next step, where the tables cannot be
    distributed as they should."""
    if database.sqlite:
        raise UsageError(
            f"--distribute: {database.name} is SQLite: name the coordinator of a Citus cluster, "
            "--database postgresql://USER@HOST/NAME"
        )
    with database.read() as transaction:
        if not installed(transaction):
            raise UnavailableError(
                f"database {database.name} has no Citus: name it in shared_preload_libraries and "
                "run CREATE EXTENSION citus, here and on each worker"
            )
        found = _read(transaction)
    for trouble in troubles(found):
        raise UnavailableError(f"database {database.name} {trouble}")
    return found


def distribute(database: Database) -> list[str]:
    """Distributes the tables that are not, all or none; their names. Raises as `check` does."""
    check(database)
    with database.write() as transaction:
        migrations.lock(transaction)
        # Rows in several copies cannot be locked FOR UPDATE.
        transaction.execute(sa.text("SET LOCAL citus.shard_replication_factor = 1"))
        tables = _read(transaction).tables
        missing = [name for name in DISTRIBUTED_BY if name not in tables]
        _distribute(transaction, missing)
        return missing


def installed(transaction: sa.Connection) -> bool:
    """Whether a PostgreSQL database has Citus."""
    return bool(
        transaction.execute(
            sa.text("SELECT to_regclass('pg_dist_partition') IS NOT NULL")
        ).scalar_one()
    )


def troubles(found: Cluster) -> Iterator[str]:
    """What is in the way, as it follows the database's name."""
    if not found.coordinator:
        yield "is a worker of its cluster: name the coordinator"
    elif not found.nodes:
        yield "has no node that takes rows: SELECT citus_add_node('HOST', 5432) for each worker"
    beside = found.tables.get(_FIRST)
    for name, wanted in DISTRIBUTED_BY.items():
        if (present := found.tables.get(name)) is None:
            continue
        undo = f"run SELECT undistribute_table('{name}') and try again"
        if present.column != wanted:
            yield f"has the table {name} on {present.column} instead of {wanted}: {undo}"
        elif wanted == _SCOPE and (beside is None or present.group != beside.group):
            yield f"has the table {name} not beside {_FIRST}: {undo}"


def _distribute(transaction: sa.Connection, names: list[str]) -> None:
    """Foreign keys would keep a table from it, since the one that they lead to is not yet there or
    no longer here."""
    operations = Operations(MigrationContext.configure(transaction))
    keys = [key for name in names for key in metadata.tables[name].foreign_key_constraints]
    for key in keys:
        operations.drop_constraint(str(key.name), key.table.name, type_="foreignkey")
    for name in names:
        _move(transaction, name)
    for key in keys:
        operations.create_foreign_key(
            str(key.name),
            key.table.name,
            key.referred_table.name,
            list(key.column_keys),
            [element.column.name for element in key.elements],
        )


def _move(transaction: sa.Connection, name: str) -> None:
    column = DISTRIBUTED_BY[name]
    beside = _FIRST if column == _SCOPE and name != _FIRST else "none"
    statement = (
        "SELECT create_distributed_table(CAST(:name AS regclass), :column, "
        "colocate_with => :beside)"
    )
    if column == EVERY_NODE:
        statement = "SELECT create_reference_table(CAST(:name AS regclass))"
    values = {"name": name, "column": column, "beside": beside}
    transaction.execute(sa.text(statement), values)
    # What was copied to the workers still takes its room here.
    emptied = "SELECT truncate_local_data_after_distributing_table(CAST(:name AS regclass))"
    transaction.execute(sa.text(emptied), {"name": name})


def _read(transaction: sa.Connection) -> Cluster:
    coordinator = sa.text("SELECT groupid = 0 FROM pg_dist_local_group")
    nodes = sa.text(
        "SELECT count(*) FROM pg_dist_node "
        "WHERE isactive AND shouldhaveshards AND noderole = 'primary'"
    )
    # Tables that Citus only knows of, for a foreign key, have method n, model s and no group.
    tables = sa.text(
        "SELECT relname, CASE WHEN partmethod = 'h' AND repmodel = 's' "
        "THEN column_to_column_name(logicalrelid, partkey) "
        "WHEN partmethod = 'n' AND repmodel = 't' THEN :everywhere "
        "ELSE concat('shards of method ', partmethod, ' and model ', repmodel) END, colocationid "
        "FROM pg_dist_partition JOIN pg_class ON pg_class.oid = logicalrelid "
        "WHERE pg_table_is_visible(logicalrelid) "
        "AND NOT (partmethod = 'n' AND repmodel = 's' AND colocationid = 0)"
    )
    return Cluster(
        bool(transaction.execute(coordinator).scalar()),
        int(transaction.execute(nodes).scalar_one()),
        {
            name: Placement(column, group)
            for name, column, group in transaction.execute(tables, {"everywhere": EVERY_NODE})
        },
    )
