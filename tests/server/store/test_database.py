"""Transactions: what a reader sees, what a failed writer leaves, what outlives the power."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from profiler.errors import UnavailableError, UsageError
from server.store import database as module
from server.store.database import Database, DatabaseFullError, insert_new
from server.store.schema import scope
from tests.processes import eventually


def services(transaction: sa.Connection) -> list[str]:
    return list(transaction.execute(sa.select(scope.c.service).order_by(scope.c.service)).scalars())


def add(transaction: sa.Connection, service: str) -> bool:
    return insert_new(transaction, scope, tenant="t", service=service, epoch=0)


def test_a_reader_sees_one_snapshot_and_holds_up_no_writer(database: Database) -> None:
    with database.write() as transaction:
        add(transaction, "a")
    with database.read() as reader:
        assert services(reader) == ["a"]
        with database.write() as writer:
            add(writer, "b")
        assert services(reader) == ["a"]
    with database.read() as reader:
        assert services(reader) == ["a", "b"]


def test_a_writer_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as transaction:
        add(transaction, "a")
        1 / 0  # noqa: B018
    with database.read() as transaction:
        assert services(transaction) == []


def test_insert_new_tells_whether_it_did(database: Database) -> None:
    with database.write() as transaction:
        assert [add(transaction, name) for name in ("a", "b", "a")] == [True, True, False]
        assert services(transaction) == ["a", "b"]


def test_sqlite_commits_outlive_the_power(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/profiler.db"
    with Database(url) as database, database.write() as transaction:
        mode = transaction.exec_driver_sql("PRAGMA journal_mode").scalar()
        synchronous = transaction.exec_driver_sql("PRAGMA synchronous").scalar()
    assert (mode, synchronous) == ("wal", 2)  # 2: FULL


def test_a_password_is_never_shown() -> None:
    with Database("postgresql://me:secret@127.0.0.1:1/x") as database:
        assert "secret" not in database.name
        with pytest.raises(UnavailableError) as refused, database.read():
            pass
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["postgres://h/x", "postgresql://h/x", "postgresql+psycopg://h/x"])
def test_every_spelling_of_postgresql_means_one_driver(url: str) -> None:
    with Database(url) as database:
        assert database.url.drivername == "postgresql+psycopg"


@pytest.mark.parametrize(
    "url", ["", "profiler.db", "mysql://h/x", "sqlite://", "sqlite:///:memory:"]
)
def test_what_is_no_database_of_ours_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="--database"):
        Database(url)


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear reader,\n" * 100)
    with (
        Database(f"sqlite:///{tmp_path}/letter.txt") as database,
        pytest.raises(UnavailableError, match="file is not a database"),
        database.read(),
    ):
        pass


def test_a_write_that_found_no_room_is_remembered_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Database(f"sqlite:///{tmp_path}/profiler.db") as database:

        def fill() -> None:
            with pytest.raises(DatabaseFullError), database.write() as transaction:
                transaction.exec_driver_sql("PRAGMA max_page_count=1")
                transaction.exec_driver_sql("CREATE TABLE large (x)")
                transaction.exec_driver_sql("INSERT INTO large VALUES (zeroblob(10000))")

        def full() -> DatabaseFullError | None:
            """A property is for mypy what it was before."""
            return database.full

        assert full() is None
        fill()
        assert isinstance(full(), DatabaseFullError)
        with database.write():
            pass
        assert full() is None
        fill()
        monkeypatch.setattr(module, "FULL_SECONDS", -1.0)
        assert full() is None


def test_writers_of_a_process_take_turns(tmp_path: Path) -> None:
    """So that one which writes all the time keeps no other one waiting."""
    with Database(f"sqlite:///{tmp_path}/profiler.db") as database:
        with database.write() as transaction:
            transaction.exec_driver_sql("CREATE TABLE turn (writer)")

        def write(number: int) -> None:
            with database.write() as transaction:
                transaction.exec_driver_sql("INSERT INTO turn VALUES (?)", (number,))

        def asked(count: int) -> bool | None:
            return True if len(database._turns._asked) == count else None

        with ThreadPoolExecutor(6) as pool, database.write():
            for number in range(6):
                pool.submit(write, number)
                eventually(lambda count=number + 2: asked(count), "it waits")  # type: ignore[misc]
        with database.read() as transaction:
            order = transaction.exec_driver_sql("SELECT writer FROM turn ORDER BY rowid").scalars()
            assert list(order) == [0, 1, 2, 3, 4, 5]
