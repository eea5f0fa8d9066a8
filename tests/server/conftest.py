"""A database a test: on SQLite, on PostgreSQL, and on a Citus cluster where there is one."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from server.store import distribution, migrations
from server.store.database import Database
from server.store.schema import metadata
from tests.postgres import Postgres

CITUS = "PROFILER_TEST_CITUS_URL"

BACKENDS = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.postgres),
    *([pytest.param("citus", marks=pytest.mark.citus)] if CITUS in os.environ else []),
]
"""Without a cluster, `test_the_store_on_a_cluster` says so, once."""


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def url(request: pytest.FixtureRequest, backend: str, tmp_path: Path) -> Iterator[str]:
    """A database of the test's own: with tables where it asks for `database`, else empty."""
    tables = "database" in request.fixturenames
    if backend == "sqlite":
        if tables:
            shutil.copy(request.getfixturevalue("sqlite_tables"), tmp_path / "profiler.db")
        yield f"sqlite:///{tmp_path}/profiler.db"
    elif backend == "citus":
        yield request.getfixturevalue("citus")
    else:
        postgres: Postgres = request.getfixturevalue("postgres")
        template = request.getfixturevalue("postgresql_tables") if tables else "template1"
        created = postgres.create_database(template)
        yield created
        postgres.drop_database(created)


@pytest.fixture(scope="session")
def sqlite_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the tables of this version: to copy it takes no time, to migrate one a second
    on a busy machine."""
    path = tmp_path_factory.mktemp("tables") / "profiler.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql_tables(postgres: Postgres) -> str:
    """The name of a database with the tables of this version."""
    created = postgres.create_database()
    _migrate(created)
    return created.rpartition("/")[2]


def _migrate(url: str) -> None:
    with Database(url) as database:
        migrations.migrate(database)


@pytest.fixture
def citus() -> str:
    """A cluster's database, without what an earlier test left."""
    cluster = os.environ.get(CITUS, "")
    if not cluster:
        pytest.skip(
            f"{CITUS} names no cluster (postgresql://USER@COORDINATOR/NAME): the tests of the "
            "store ran on SQLite and PostgreSQL alone"
        )
    if "test" not in (make_url(cluster).database or ""):
        pytest.fail(f"{CITUS}: tables are dropped there, so the database's name must hold 'test'")
    tables = ", ".join(["alembic_version", *reversed(metadata.tables)])
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute(f"DROP TABLE IF EXISTS {tables} CASCADE")
    return cluster


@pytest.fixture
def empty(url: str) -> Iterator[Database]:
    """Without tables, unless `database` is asked for."""
    with Database(url) as opened:
        yield opened


@pytest.fixture
def database(backend: str, empty: Database) -> Database:
    """With the tables of this version."""
    if backend == "citus":
        migrations.migrate(empty)
        distribution.distribute(empty)
    return empty
