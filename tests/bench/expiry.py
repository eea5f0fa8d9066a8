"""What it costs PostgreSQL to forget a day of chunks: deleted by range, or dropped as a partition.

    python -m tests.bench.expiry

Days of chunks of 60 KB, as 60 series of 4 services leave them: 86 MB each. Each round forgets the
oldest day and writes a new one, so that the second shows whether the room of the first is used
again. Without fsync.
"""

import os
import time
from collections.abc import Callable

import psycopg
from psycopg.rows import scalar_row

from tests import postgres

DAYS, ROUNDS = 6, 4
SCOPES, SERIES, HOURS = 4, 15, 24
BLOB_BYTES = 60_000
MANY_PARTITIONS = 400
ROW = "{:<44} {:>12} {:>12}".format

_COLUMNS = (
    "scope_id bigint, profile_type text, hour int, series_id int, epoch int, period bigint, "
    "part int, n int, times bytea, entries bytea, "
    "PRIMARY KEY (scope_id, profile_type, hour, series_id, epoch, period, part)"
)

_TYPES = ("int8", "text", "int4", "int4", "int4", "int8", "int4", "int4", "bytea", "bytea")


class Chunks:
    """One table, from which days are deleted as retention does it; it is vacuumed by us, so that
    the cost can be told."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True, row_factory=scalar_row)
        self.create()

    def create(self) -> None:
        self.run(f"CREATE TABLE chunk ({_COLUMNS}) WITH (autovacuum_enabled = off)")

    def begin_day(self, day: int) -> None:
        pass

    def forget_day(self, day: int) -> None:
        for hour in range(day * HOURS, (day + 1) * HOURS):
            for scope in range(SCOPES):
                self.run(f"DELETE FROM chunk WHERE scope_id = {scope} AND hour = {hour}")

    def vacuum(self) -> None:
        self.run("VACUUM chunk")

    def write_day(self, day: int) -> None:
        for hour in range(day * HOURS, (day + 1) * HOURS):
            with self.connection.cursor().copy("COPY chunk FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(_TYPES)
                for scope in range(SCOPES):
                    for series in range(SERIES):
                        blob = os.urandom(BLOB_BYTES)
                        copy.write_row((scope, "cpu", hour, series, 0, 1, 0, 1, b"", blob))

    def plan_ms(self) -> float:
        """Of a query of one series and hour, median of several."""
        query = "SELECT entries FROM chunk WHERE scope_id = 1 AND series_id = 1 AND hour = 100"
        found = []
        for _ in range(21):
            started = time.perf_counter()
            self.connection.execute(query, prepare=False).fetchall()
            found.append(1000 * (time.perf_counter() - started))
        return sorted(found)[len(found) // 2]

    def run(self, statement: str) -> None:
        self.connection.execute(statement)

    def number(self, expression: str) -> int:
        return int(self.connection.execute(f"SELECT {expression}").fetchone() or 0)

    def megabytes(self) -> float:
        return self.number("pg_database_size(current_database())") / 1e6


class Partitions(Chunks):
    """A partition a day."""

    def create(self) -> None:
        self.run(f"CREATE TABLE chunk ({_COLUMNS}) PARTITION BY RANGE (hour)")

    def begin_day(self, day: int) -> None:
        self.run(
            f"CREATE TABLE chunk_{day} PARTITION OF chunk "
            f"FOR VALUES FROM ({day * HOURS}) TO ({(day + 1) * HOURS})"
        )

    def forget_day(self, day: int) -> None:
        self.run(f"DROP TABLE chunk_{day}")

    def vacuum(self) -> None:
        pass  # there is nothing to be found


def main() -> None:
    with postgres.running() as server:
        kinds = [kind(server.create_database()) for kind in (Chunks, Partitions)]
        print(ROW("", "deleted", "dropped"), flush=True)
        for kind in kinds:
            for day in range(DAYS):
                write_new_day(kind, day)
        show("MB at first", [kind.megabytes() for kind in kinds])
        for day in range(ROUNDS):
            print(f"day {day} goes, day {DAYS + day} comes")
            for what, work in STEPS.items():
                show(what, [timed(kind, work, day) for kind in kinds])
            show("   MB", [kind.megabytes() for kind in kinds])
        show("a query of one series and hour, ms", [kind.plan_ms() for kind in kinds])
        for day in range(DAYS + ROUNDS, MANY_PARTITIONS):
            kinds[1].begin_day(day)
        show(f"   with {MANY_PARTITIONS} partitions", [kind.plan_ms() for kind in kinds])
        for kind in kinds:
            kind.connection.close()


def write_new_day(kind: Chunks, day: int) -> None:
    kind.begin_day(day)
    kind.write_day(day)


STEPS: dict[str, Callable[[Chunks, int], None]] = {
    "   forget, ms": lambda kind, day: kind.forget_day(day),
    "   vacuum, ms": lambda kind, _: kind.vacuum(),
    "   write a day, ms": lambda kind, day: write_new_day(kind, DAYS + day),
}


def timed(kind: Chunks, work: Callable[[Chunks, int], None], day: int) -> float:
    started = time.perf_counter()
    work(kind, day)
    return 1000 * (time.perf_counter() - started)


def show(what: str, numbers: list[float]) -> None:
    print(
        ROW(what, *(f"{number:,.2f}" if number < 100 else f"{number:,.0f}" for number in numbers)),
        flush=True,
    )


if __name__ == "__main__":
    main()
