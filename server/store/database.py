"""Opens the database and gives transactions; the differences of SQLite and PostgreSQL stay here.

    with Database("sqlite:///profiler.db") as database, database.read() as transaction: ...

A reader sees one snapshot from its first statement to its end and waits for nobody. On SQLite
there is one writer at a time, which takes its lock at the beginning (`BEGIN IMMEDIATE`), so that
it never has to give up half-way.

On a Citus cluster a transaction keeps to one connection a worker: then a reader has one snapshot of
each worker, and what one statement of a writer did, the next one sees.

What is acknowledged must survive. SQLite runs with `synchronous=FULL`: in WAL mode NORMAL would
survive a killed process, but lose the last commits with the power.
"""

import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from types import TracebackType
from typing import Any, Self, cast

import psycopg
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from profiler.errors import ProfilerError, UnavailableError, UsageError
from server.store.turns import Turns

LOCK_TIMEOUT_MS = 10_000
"""How long a writer waits for another one. Commits take milliseconds; ten seconds mean that
something holds the lock for good, and the sender had better try again later."""

QUERY_TIMEOUT_MS = 120_000
"""How long PostgreSQL works on one statement of a reader."""

FULL_SECONDS = 60.0
"""How long a write that found no room speaks for the next one."""

_SQLITE_PRAGMAS = (
    f"PRAGMA busy_timeout={LOCK_TIMEOUT_MS}",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA journal_size_limit=67108864",  # a WAL grown by a long reader shrinks again
)


class DatabaseFullError(UnavailableError):
    """There is no room for what should be written; nothing acknowledged is lost."""


class _BinaryCursor(psycopg.ServerCursor[Any]):
    """Of rows as they are; in text, PostgreSQL spells each byte of a blob with two digits."""

    def __init__(self, connection: psycopg.Connection[Any], name: str, **options: Any) -> None:
        super().__init__(connection, name, **options)
        self.format = psycopg.pq.Format.BINARY


class Database:
    """A pool of connections, closed at the exit. Safe to share between threads."""

    def __init__(self, url: str, *, connections: int = 16) -> None:
        """Opens nothing yet; raises UsageError where `url` names no database we know."""
        self.url = _parse(url)
        self._full: tuple[float, DatabaseFullError] | None = None
        self._turns = Turns()
        self.sqlite = self.url.get_backend_name() == "sqlite"
        options: dict[str, Any] = {"pool_size": connections, "max_overflow": 0}
        if self.sqlite:
            self._engine = sa.create_engine(self.url, **options)
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        else:
            settings = (
                f"-c lock_timeout={LOCK_TIMEOUT_MS} -c statement_timeout={QUERY_TIMEOUT_MS} "
                "-c citus.multi_shard_modify_mode=sequential"  # means nothing without Citus
            )
            self._engine = sa.create_engine(
                self.url, pool_pre_ping=True, connect_args={"options": settings}, **options
            )
            event.listen(self._engine, "connect", _prepare_postgresql)

    @property
    def name(self) -> str:
        """The URL as people may see it, without the password."""
        return self.url.render_as_string(hide_password=True)

    @property
    def full(self) -> DatabaseFullError | None:
        """Why the last write found no room, if that was a minute ago or less. Then there may be
        room again, and whoever asks before sending anything should try."""
        if self._full is None or time.monotonic() - self._full[0] > FULL_SECONDS:
            return None
        return self._full[1]

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A transaction that sees one snapshot and writes nothing."""
        options: dict[str, Any] = {}
        if not self.sqlite:
            options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with self._begin(options) as transaction:
            yield transaction

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that commits at its end, or changes nothing where an error leaves it."""
        try:
            with self._turn(), self._begin({"profiler_writes": True}) as transaction:
                yield transaction
        except DatabaseFullError as error:
            self._full = time.monotonic(), error
            raise
        self._full = None

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """That of a writer in this process, where there can be one."""
        if not self.sqlite:
            yield
            return
        if not self._turns.take(LOCK_TIMEOUT_MS / 1000):
            raise UnavailableError(
                f"database {self.name} does not answer as it should: database is locked"
            )
        try:
            yield
        finally:
            self._turns.give()

    @contextmanager
    def _begin(self, options: dict[str, Any]) -> Iterator[sa.Connection]:
        """Raises UnavailableError for everything that is the database's fault."""
        try:
            with (
                self._engine.connect().execution_options(**options) as connection,
                connection.begin(),
            ):
                yield connection
        except (IntegrityError, ProgrammingError, DataError):
            raise  # it works; what it was asked was wrong
        except (DatabaseError, InterfaceError, PoolTimeoutError) as error:
            raise self._translated(error) from error

    def _translated(self, error: Exception) -> ProfilerError:
        cause = getattr(error, "orig", None) or error
        reason = " ".join(str(cause).split())
        if reason == "integer overflow":  # of sum() in SQLite; PostgreSQL counts on
            return UsageError("the sums of this range exceed 64 bits: choose a shorter range")
        if _is_full(cause):
            return DatabaseFullError(
                f"database {self.name} is full ({reason}): free space on its disk"
            )
        return UnavailableError(f"database {self.name} does not answer as it should: {reason}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._engine.dispose()


def insert_new(transaction: sa.Connection, table: sa.Table, **values: object) -> bool:
    """Inserts a row unless one of its unique keys is there already; tells whether it did.

    On PostgreSQL it waits for a transaction that has inserted such a row and not yet ended.
    """
    return (
        transaction.execute(_insert_new(transaction.dialect.name, table), values).first()
        is not None
    )


@cache
def _insert_new(dialect: str, table: sa.Table) -> sa.Executable:
    """To make a statement takes as long as to execute it."""
    insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    return insert(table).on_conflict_do_nothing().returning(sa.literal_column("1", sa.Integer))


def insert_all_new(
    transaction: sa.Connection,
    table: sa.Table,
    rows: Sequence[dict[str, object]],
    returning: Sequence[sa.Column[Any]],
) -> list[tuple[Any, ...]]:
    """Inserts those rows none of whose unique keys is there already, in their order; these columns
    of each that was inserted. Waits as `insert_new` does."""
    insert = sqlite.insert if transaction.dialect.name == "sqlite" else postgresql.insert
    statement = insert(table).on_conflict_do_nothing().returning(*returning)
    return [tuple(row) for row in transaction.execute(statement, rows)]


def insert_many(
    transaction: sa.Connection,
    table: sa.Table,
    columns: Sequence[str],
    rows: Sequence[tuple[object, ...]],
) -> None:
    """Inserts rows of these columns; raises IntegrityError where a key is there already.

    Past SQLAlchemy, which takes longer for a row than SQLite does, and on PostgreSQL by COPY.
    """
    names = ", ".join(columns)
    if transaction.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        insert = f"INSERT INTO {table.name} ({names}) VALUES ({marks})"
        transaction.exec_driver_sql(insert, list(rows))
        return
    statement = f"COPY {table.name} ({names}) FROM STDIN"
    raw = cast(psycopg.Connection[Any], transaction.connection.driver_connection)
    try:
        with raw.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as error:
        cause = psycopg.errors.UniqueViolation(str(error)) if _is_taken(error, table) else error
        raise DBAPIError.instance(
            statement, None, cause, psycopg.Error, dialect=transaction.dialect
        ) from error


def _is_taken(error: psycopg.Error, table: sa.Table) -> bool:
    """Whether Citus says of a COPY that a key is there already: it passes on what the worker said,
    `… "pk_hot_102008"`, but not its code."""
    return isinstance(error, psycopg.errors.InternalError_) and bool(
        re.search(rf"\b{table.primary_key.name}_\d+\b", str(error))
    )


def upsert(transaction: sa.Connection, table: sa.Table, **values: object) -> None:
    """Inserts a row, or writes it over the one that has its primary key."""
    insert = sqlite.insert if transaction.dialect.name == "sqlite" else postgresql.insert
    key = [column.name for column in table.primary_key]
    statement = insert(table).values(values)
    others = {name: statement.excluded[name] for name in values if name not in key}
    transaction.execute(statement.on_conflict_do_update(index_elements=key, set_=others))


def _parse(text: str) -> sa.URL:
    try:
        url = make_url(text)
    except ArgumentError:
        raise UsageError(f"--database {text!r} is no URL: try sqlite:///profiler.db") from None
    backend = url.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise UsageError(
            f"--database {url.drivername}://… is not supported: "
            "use sqlite:///FILE or postgresql://USER@HOST/NAME"
        )
    if url.database in (None, "", ":memory:"):
        raise UsageError("--database needs a file: try sqlite:///profiler.db")
    return url


def _prepare_sqlite(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # transactions begin where we say, see _begin_sqlite
    for pragma in _SQLITE_PRAGMAS:
        connection.execute(pragma)
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        connection.execute("PRAGMA journal_mode=WAL")


def _prepare_postgresql(connection: psycopg.Connection[Any], _: object) -> None:
    connection.server_cursor_factory = _BinaryCursor


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("profiler_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _is_full(cause: object) -> bool:
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return isinstance(cause, psycopg.errors.DiskFull)
