"""A database a test, on SQLite and on PostgreSQL, and a server over it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from server.app import Server
from server.config import Config
from server.store import migrations
from server.store.database import Database

BACKENDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.fixture(params=BACKENDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/profiler.db"
    created: str = request.getfixturevalue("postgres").create_database()
    return created


@pytest.fixture
def empty(url: str) -> Iterator[Database]:
    """Without tables."""
    with Database(url) as opened:
        yield opened


@pytest.fixture
def database(empty: Database) -> Database:
    """With the tables of this version."""
    migrations.migrate(empty)
    return empty


@pytest.fixture
def server(url: str) -> Iterator[Server]:
    """Listens on ports of its own."""
    with Server(Config(http="127.0.0.1:0", grpc="127.0.0.1:0", database=url)) as started:
        yield started
