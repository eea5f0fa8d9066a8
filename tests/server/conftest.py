"""A database a test, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

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
