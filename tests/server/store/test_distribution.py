"""On a Citus cluster: what goes where, and what is refused. Without a cluster, `coordinator` stands
in for one: the tables that Citus would keep, and functions that write to them."""

import re
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, ProgrammingError

from profiler.errors import UnavailableError, UsageError
from server.store import distribution, migrations, size
from server.store.database import Database, insert_many
from server.store.distribution import DISTRIBUTED_BY, EVERY_NODE, Cluster, Placement, troubles
from server.store.schema import hot, metadata
from tests.postgres import Postgres

COORDINATOR = """
CREATE TABLE pg_dist_local_group (groupid int);
INSERT INTO pg_dist_local_group VALUES (0);
CREATE TABLE pg_dist_node (isactive bool, shouldhaveshards bool, noderole text);
INSERT INTO pg_dist_node VALUES (true, true, 'primary'), (true, false, 'primary');
CREATE TABLE pg_dist_partition (
  logicalrelid regclass PRIMARY KEY, partmethod "char", partkey text, colocationid int,
  repmodel "char");
CREATE SEQUENCE groups;
CREATE FUNCTION column_to_column_name(regclass, text) RETURNS text STRICT
  RETURN $2;
CREATE FUNCTION citus_total_relation_size(regclass, boolean) RETURNS bigint RETURN 1000000;
CREATE FUNCTION refuse_foreign_keys(regclass) RETURNS void LANGUAGE plpgsql AS $$
  BEGIN
    IF EXISTS (SELECT 1 FROM pg_constraint WHERE contype = 'f' AND $1 IN (conrelid, confrelid)) THEN
      RAISE 'a foreign key of % leads to or comes from a local table', $1;
    END IF;
  END $$;
CREATE FUNCTION create_reference_table(regclass) RETURNS void LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM refuse_foreign_keys($1);
    INSERT INTO pg_dist_partition VALUES ($1, 'n', NULL, nextval('groups'), 't');
  END $$;
CREATE FUNCTION create_distributed_table(
  name regclass, key text, method text DEFAULT 'hash', colocate_with text DEFAULT 'default')
  RETURNS void LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM refuse_foreign_keys(name);
    ASSERT current_setting('citus.shard_replication_factor') = '1';
    INSERT INTO pg_dist_partition SELECT name, 'h', key, CASE colocate_with
      WHEN 'none' THEN nextval('groups') ELSE (
        SELECT colocationid FROM pg_dist_partition WHERE logicalrelid = colocate_with::regclass)
      END, 's';
  END $$;
CREATE FUNCTION truncate_local_data_after_distributing_table(regclass) RETURNS void
  LANGUAGE plpgsql AS $$ BEGIN EXECUTE format('TRUNCATE %s', $1); END $$;
"""

EMPTY = Cluster(coordinator=True, nodes=2, tables={})
PLACED = replace(
    EMPTY,
    tables={
        name: Placement(column, 1 if column == "scope_id" else 10 + number)
        for number, (name, column) in enumerate(DISTRIBUTED_BY.items())
    },
)


def placed(name: str, column: str, group: int) -> Cluster:
    return replace(PLACED, tables={**PLACED.tables, name: Placement(column, group)})


def test_every_table_has_its_place() -> None:
    assert set(DISTRIBUTED_BY) == set(metadata.tables)


@pytest.mark.parametrize("name", DISTRIBUTED_BY)
def test_every_unique_key_contains_the_column_of_distribution(name: str) -> None:
    table, column = metadata.tables[name], DISTRIBUTED_BY[name]
    keys = [
        one
        for one in (*table.constraints, *table.indexes)
        if isinstance(one, sa.PrimaryKeyConstraint | sa.UniqueConstraint)
        or (isinstance(one, sa.Index) and one.unique)
    ]
    assert keys
    assert column == EVERY_NODE or all(column in one.columns for one in keys)


def test_foreign_keys_lead_to_whole_copies_or_stay_among_the_rows_of_a_scope() -> None:
    for table in metadata.tables.values():
        for key in table.foreign_key_constraints:
            there, here = DISTRIBUTED_BY[key.referred_table.name], DISTRIBUTED_BY[table.name]
            pairs = [(one.parent.name, one.column.name) for one in key.elements]
            assert there == EVERY_NODE or (
                here == there == "scope_id" and ("scope_id", "scope_id") in pairs
            )


@pytest.mark.parametrize("cluster", [EMPTY, PLACED])
def test_what_is_not_distributed_or_as_it_should_be_is_no_trouble(cluster: Cluster) -> None:
    assert list(troubles(cluster)) == []


@pytest.mark.parametrize(
    ("cluster", "says"),
    [
        (replace(EMPTY, coordinator=False), "is a worker of its cluster: name the coordinator"),
        (replace(EMPTY, nodes=0), r"has no node that takes rows: .*citus_add_node\('HOST', 5432\)"),
        (
            placed("hot", "series_id", 1),
            r"table hot on series_id instead of scope_id: run SELECT undistribute_table\('hot'\)",
        ),
        (placed("scope", "tenant", 1), "table scope on tenant instead of every node"),
        (placed("drain", EVERY_NODE, 1), "table drain on every node instead of host_name"),
        (placed("chunk", "scope_id", 2), "table chunk not beside series"),
        (
            replace(EMPTY, tables={"chunk": Placement("scope_id", 2)}),
            "table chunk not beside series",
        ),
    ],
)
def test_a_cluster_that_is_otherwise_is_refused_with_the_next_step(
    cluster: Cluster, says: str
) -> None:
    (trouble,) = troubles(cluster)
    assert re.search(says, trouble)


@pytest.mark.citus
def test_the_store_on_a_cluster(citus: str) -> None:
    """That there is one, for the tests that ask for a `database`; else this one says so."""
    with Database(citus) as database:
        migrations.migrate(database)
        assert distribution.distribute(database) == list(DISTRIBUTED_BY)
        found = distribution.check(database)
        assert {name: one.column for name, one in found.tables.items()} == dict(DISTRIBUTED_BY)
        assert distribution.distribute(database) == []
        migrations.migrate(database, "0003")
        migrations.migrate(database)
        newer = ["function_history", "minutes", "deploy", "running", "recording", "alert"]
        assert distribution.distribute(database) == newer


@pytest.mark.parametrize(
    "backend", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
)
def test_sqlite_and_plain_postgresql_are_refused_with_the_next_step(database: Database) -> None:
    error, says = (
        (UsageError, "is SQLite: name the coordinator of a Citus cluster, --database postgresql://")
        if database.sqlite
        else (UnavailableError, r"has no Citus: .* run CREATE EXTENSION citus, here and on each")
    )
    for refused in (distribution.check, distribution.distribute):
        with pytest.raises(error, match=says):
            refused(database)


@pytest.fixture
def coordinator(postgres: Postgres) -> Iterator[Database]:
    url = postgres.create_database()
    with Database(url) as opened, psycopg.connect(url, autocommit=True) as connection:
        migrations.migrate(opened)
        connection.execute(COORDINATOR)
        yield opened


def foreign_keys(database: Database) -> list[str | None]:
    with database.read() as transaction:
        return [key["name"] for key in sa.inspect(transaction).get_foreign_keys("series")]


@pytest.mark.postgres
def test_all_tables_are_distributed_once_and_keep_their_keys(coordinator: Database) -> None:
    before = foreign_keys(coordinator)
    assert distribution.distribute(coordinator) == list(DISTRIBUTED_BY)
    assert foreign_keys(coordinator) == before == ["fk_series_scope_id"]
    found = distribution.check(coordinator)
    assert {name: one.column for name, one in found.tables.items()} == dict(DISTRIBUTED_BY)
    assert found.nodes == 1
    assert distribution.distribute(coordinator) == []


@pytest.mark.postgres
def test_a_table_of_a_newer_migration_is_laid_beside_the_others(coordinator: Database) -> None:
    distribution.distribute(coordinator)
    migrations.migrate(coordinator, "0003")
    with coordinator.write() as transaction:  # as Citus does when a table is dropped
        transaction.exec_driver_sql(
            "DELETE FROM pg_dist_partition WHERE logicalrelid NOT IN (SELECT oid FROM pg_class)"
        )
    migrations.migrate(coordinator)
    newer = ["function_history", "minutes", "deploy", "running", "recording", "alert"]
    assert distribution.distribute(coordinator) == newer
    assert distribution.distribute(coordinator) == []


@pytest.mark.postgres
def test_a_failure_half_way_leaves_everything_as_it_was(coordinator: Database) -> None:
    with coordinator.write() as transaction:
        transaction.exec_driver_sql("ALTER TABLE stale RENAME TO stale_elsewhere")
    with pytest.raises(ProgrammingError, match="stale"):
        distribution.distribute(coordinator)
    assert distribution.check(coordinator).tables == {}
    assert foreign_keys(coordinator) == ["fk_series_scope_id"]


@pytest.mark.postgres
def test_what_is_distributed_otherwise_is_refused_and_left_alone(coordinator: Database) -> None:
    with coordinator.write() as transaction:
        transaction.exec_driver_sql("SET LOCAL citus.shard_replication_factor = 1")
        transaction.exec_driver_sql(
            "SELECT create_distributed_table('hot', 'series_id', colocate_with => 'none')"
        )
    with pytest.raises(UnavailableError, match="table hot on series_id instead of scope_id"):
        distribution.distribute(coordinator)
    with coordinator.read() as transaction:
        wanted = sa.text("SELECT logicalrelid::text FROM pg_dist_partition")
        assert list(transaction.execute(wanted).scalars()) == ["hot"]


@pytest.mark.postgres
def test_sizes_are_those_on_the_workers(coordinator: Database) -> None:
    distribution.distribute(coordinator)
    held = size.holdings(coordinator, 0)
    assert {one.bytes for one in held.tables} == {1_000_000}
    assert held.bytes > 1_000_000 * len(DISTRIBUTED_BY)


@pytest.mark.postgres
def test_a_key_that_a_worker_has_is_told_from_other_trouble(coordinator: Database) -> None:
    """Citus gives the message of a worker to COPY, and loses its code."""
    said = 'duplicate key value violates unique constraint "pk_hot_102044"'
    with coordinator.write() as transaction:
        transaction.exec_driver_sql(
            "CREATE FUNCTION taken() RETURNS trigger LANGUAGE plpgsql AS $$ "
            f"BEGIN RAISE '{said}' USING ERRCODE = 'internal_error'; END $$"
        )
        transaction.exec_driver_sql(
            "CREATE TRIGGER taken BEFORE INSERT ON hot FOR EACH ROW EXECUTE FUNCTION taken()"
        )
    columns = [column.name for column in hot.columns]
    row = tuple(b"" if name == "blob" else 1 for name in columns)
    with pytest.raises(IntegrityError, match="pk_hot_102044"), coordinator.write() as transaction:
        insert_many(transaction, hot, columns, [row])


@pytest.mark.postgres
def test_a_transaction_keeps_to_one_connection_a_worker(coordinator: Database) -> None:
    for begun in (coordinator.read, coordinator.write):
        with begun() as transaction:
            mode = transaction.exec_driver_sql("SHOW citus.multi_shard_modify_mode").scalar()
        assert mode == "sequential"
