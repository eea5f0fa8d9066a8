"""The migrations make exactly the tables of `schema`, and take them away again."""

import multiprocessing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from profiler.errors import UnavailableError, UsageError
from server.store import migrations
from server.store.database import Database
from server.store.schema import metadata


def test_migrations_make_the_tables_of_the_schema(empty: Database) -> None:
    assert migrations.migrate(empty) == ("base", migrations.head())
    with empty.read() as transaction:
        context = MigrationContext.configure(transaction, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_downgrade_leaves_nothing_behind(empty: Database) -> None:
    migrations.migrate(empty)
    migrations.migrate(empty, "base")
    with empty.read() as transaction:
        assert set(sa.inspect(transaction).get_table_names()) <= {"alembic_version"}
    assert migrations.migrate(empty) == ("base", migrations.head())


def test_migrating_a_migrated_database_changes_nothing(empty: Database) -> None:
    migrations.migrate(empty)
    assert migrations.migrate(empty) == (migrations.head(), migrations.head())


def test_check_names_the_command_that_mends_an_older_database(empty: Database) -> None:
    with pytest.raises(UnavailableError, match="run `profiler migrate --database"):
        migrations.check(empty)
    migrations.migrate(empty)
    migrations.check(empty)


def test_a_newer_database_is_refused_with_the_next_step(empty: Database) -> None:
    migrations.migrate(empty)
    with empty.write() as transaction:
        transaction.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    for refused in (migrations.check, migrations.migrate):
        with pytest.raises(UnavailableError, match=r"9999, newer than .* install the profiler"):
            refused(empty)


def test_an_unknown_revision_is_refused_with_those_that_are_known(empty: Database) -> None:
    with pytest.raises(UsageError, match="'7777' is unknown; this profiler knows base, 0001"):
        migrations.migrate(empty, "7777")


def _migrate(url: str) -> tuple[str, str]:
    with Database(url) as database:
        return migrations.migrate(database)


def test_servers_that_start_at_once_migrate_once(url: str) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        outcomes = pool.map(_migrate, [url] * 4)
    assert sorted(outcomes) == [(migrations.head(),) * 2] * 3 + [("base", migrations.head())]


def test_the_migrations_stand_where_the_wheel_puts_them() -> None:
    """pyproject.toml packs alembic/ as server/alembic, where `migrations` looks first."""
    root = Path(__file__).parents[3]
    assert '"alembic" = "server/alembic"' in (root / "pyproject.toml").read_text()
