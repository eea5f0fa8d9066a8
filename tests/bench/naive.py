"""The layouts of no design, each on SQLite and on PostgreSQL, by the drivers alone.

    A  a row a profile and stack, which holds the stack's text; an index by service, host and time
    B  stacks and series are numbered; a row a profile and stack with the numbers, whose key is
       series, time and stack, and a table with the text of each stack

Both are written a transaction of as many profiles as the store beside them: with executemany on
SQLite, with COPY on PostgreSQL. A query gives the flamegraph as the API does, as JSON.
"""

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg

from profiler.analysis import flamegraph
from profiler.analysis.packed import columns
from profiler.formats import folded
from server.store.hours import TimeRange
from tests.bench.asked import as_json
from tests.bench.fleet import Pool
from tests.bench.stored import best_rate

QUERIES = 3
"""The best of so many."""


@dataclass(frozen=True, slots=True)
class NaiveProfile:
    pool: Pool
    host: int
    t0_ns: int
    nodes: Sequence[int]
    samples: Sequence[int]


class Rows(Protocol):
    """A database as its driver gives it: numbers its stacks, where the layout does so."""

    def execute(self, statement: str, values: Sequence[object] = ()) -> list[Any]: ...

    def insert(self, table: str, rows: Iterable[tuple[object, ...]]) -> None: ...

    def commit(self) -> None: ...

    def bytes(self) -> int: ...


class SqliteRows:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._connection = sqlite3.connect(file)
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            self._connection.execute(f"PRAGMA {pragma}")

    def execute(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        return self._connection.execute(statement.replace("%s", "?"), values).fetchall()

    def insert(self, table: str, rows: Iterable[tuple[object, ...]]) -> None:
        columns = self._connection.execute(f"SELECT count(*) FROM pragma_table_info('{table}')")
        marks = ", ".join("?" * columns.fetchone()[0])
        self._connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)

    def commit(self) -> None:
        self._connection.commit()

    def bytes(self) -> int:
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return self._file.stat().st_size

    def close(self) -> None:
        self._connection.close()


class PostgresRows:
    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url)

    def execute(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        cursor = self._connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else []

    def insert(self, table: str, rows: Iterable[tuple[object, ...]]) -> None:
        with self._connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def commit(self) -> None:
        self._connection.commit()

    def bytes(self) -> int:
        (row,) = self.execute("SELECT pg_database_size(current_database())")
        return int(row[0])

    def close(self) -> None:
        self._connection.close()


class LayoutA:
    name = "A"

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        rows.execute(
            "CREATE TABLE sample (service TEXT, host TEXT, t0 BIGINT, stack TEXT, samples BIGINT)"
        )
        rows.execute("CREATE INDEX by_series ON sample (service, host, t0)")
        rows.commit()

    def write(self, profiles: Iterable[NaiveProfile]) -> None:
        self._rows.insert(
            "sample",
            (
                (profile.pool.service, f"host-{profile.host}", profile.t0_ns, texts[node], samples)
                for profile in profiles
                for texts in (profile.pool.texts,)
                for node, samples in zip(profile.nodes, profile.samples, strict=True)
            ),
        )

    def stacks(self, within: TimeRange, host: int | None) -> list[tuple[str, int]]:
        chosen = "service = %s AND t0 >= %s AND t0 < %s"
        chosen += " AND host = %s" if host is not None else ""
        values: list[object] = ["service-0", within.from_ns, within.to_ns]
        return self._rows.execute(
            f"SELECT stack, sum(samples) FROM sample WHERE {chosen} GROUP BY stack",
            [*values, f"host-{host}"] if host is not None else values,
        )


class LayoutB:
    name = "B"

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._numbers: dict[tuple[str, int], int] = {}
        without_rowid = "WITHOUT ROWID" if isinstance(rows, SqliteRows) else ""
        rows.execute("CREATE TABLE stack (stack_id INTEGER PRIMARY KEY, stack TEXT)")
        rows.execute(
            "CREATE TABLE sample (series_id INTEGER, t0 INTEGER, stack_id INTEGER, "
            f"samples INTEGER, PRIMARY KEY (series_id, t0, stack_id)) {without_rowid}"
        )
        rows.commit()

    def write(self, profiles: Iterable[NaiveProfile]) -> None:
        profiles = list(profiles)
        self._rows.insert("stack", self._new_stacks(profiles))
        self._rows.insert("sample", self._samples(profiles))

    def _new_stacks(self, profiles: Iterable[NaiveProfile]) -> Iterator[tuple[int, str]]:
        numbers = self._numbers
        for profile in profiles:
            service, texts = profile.pool.service, profile.pool.texts
            for node in profile.nodes:
                if (service, node) not in numbers:
                    numbers[service, node] = len(numbers) + 1
                    yield len(numbers), texts[node]

    def _samples(self, profiles: Iterable[NaiveProfile]) -> Iterator[tuple[object, ...]]:
        numbers = self._numbers
        for profile in profiles:
            service, series, seconds = profile.pool.service, profile.host, profile.t0_ns // 10**9
            for node, samples in zip(profile.nodes, profile.samples, strict=True):
                yield series, seconds, numbers[service, node], samples

    def stacks(self, within: TimeRange, host: int | None) -> list[tuple[str, int]]:
        chosen = "t0 >= %s AND t0 < %s" + (" AND series_id = %s" if host is not None else "")
        values = [within.from_ns // 10**9, within.to_ns // 10**9]
        return self._rows.execute(
            "SELECT stack, total FROM stack JOIN (SELECT stack_id, sum(samples) AS total "
            f"FROM sample WHERE {chosen} GROUP BY stack_id) AS sums USING (stack_id)",
            [*values, host] if host is not None else values,
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """What a naive layout did with some entries of the first service."""

    entries: int
    write_rate: float
    bytes_an_entry: float
    q1_ms: float
    q2_ns: float
    """An entry."""


def measure(
    kind: type[LayoutA | LayoutB],
    rows: SqliteRows | PostgresRows,
    profiles: Sequence[NaiveProfile],
    one: TimeRange,
) -> Measured:
    """`one` is the range of a query of the first host."""
    with closing(rows):
        before = rows.bytes()
        layout = kind(rows)
        entries = sum(len(profile.nodes) for profile in profiles)
        _ = profiles[0].pool.texts  # made beforehand

        def write(some: Sequence[NaiveProfile]) -> int:
            layout.write(some)
            rows.commit()
            return sum(len(profile.nodes) for profile in some)

        rate = best_rate(write, profiles)
        everything = TimeRange(0, 2**61)
        return Measured(
            entries,
            rate,
            (rows.bytes() - before) / entries,
            min(_drawn_ns(layout, one, 0) for _ in range(QUERIES)) / 1e6,
            min(_drawn_ns(layout, everything, None) for _ in range(QUERIES)) / entries,
        )


def _drawn_ns(layout: LayoutA | LayoutB, within: TimeRange, host: int | None) -> float:
    started = time.perf_counter_ns()
    text = "".join(f"{stack} {n}\n" for stack, n in layout.stacks(within, host))
    as_json(columns(flamegraph.build(folded.loads(text.encode()))))
    return time.perf_counter_ns() - started
