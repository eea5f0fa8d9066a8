"""A database a test: on SQLite, on PostgreSQL, and on a Citus cluster where there is one."""

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from server.store import distribution, migrations
from server.store.database import Database
from server.store.schema import metadata

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
def url(request: pytest.FixtureRequest, backend: str, tmp_path: Path) -> str:
    """An empty database without tables."""
    if backend == "sqlite":
        return f"sqlite:///{tmp_path}/profiler.db"
    if backend == "citus":
        cluster: str = request.getfixturevalue("citus")
        return cluster
    created: str = request.getfixturevalue("postgres").create_database()
    return created


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
    """Without tables."""
    with Database(url) as opened:
        yield opened


@pytest.fixture
def database(backend: str, empty: Database) -> Database:
    """With the tables of this version."""
    migrations.migrate(empty)
    if backend == "citus":
        distribution.distribute(empty)
    return empty
