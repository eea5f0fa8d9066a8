"""The store beside layouts of no design: what is written, kept and read of a fleet.

    make bench-store ARGS="--hosts 20 --days 3 sqlite"

A week of a fleet on SQLite and on PostgreSQL; the naive layouts A and B of `naive` hold an hour of
some hosts of the first service, and their figures are scaled by entry. PostgreSQL runs without
fsync, SQLite with. An entry is a stack with samples in a profile.

    write      hot rows alone, 200 profiles a commit
    arrive     over gRPC, acknowledged after the commit, the server on one core: see `arrivals`
    q1         one host of one service, 15 minutes that cut a chunk
    q2         one service, a day of all its hosts; and that day compared with the next, host by
               host, beside one query of a day, both as the page asks for them
    q3         all services, all days
    raw        from the profiles of each chunk, as if there were no rollups

Queries are timed with what a server remembers: from the selector to the JSON of the flamegraph.
The profiles of the first day are drawn one by one; the days after it hold the same once more, in
rows of their own. The last hour of the first day is written as hot rows and compacted, the others
as compaction writes them. Times and rates are the best of several, but for q3 raw;
"CPU alone" is the same by the CPU time of the process that asks, or of the server that is sent to,
for machines that have something else to do.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from server.api import urls
from server.store import migrations
from server.store.database import Database
from server.store.hours import DAY_HOURS, TimeRange
from server.store.plan import Level
from server.store.schema import function_history, minutes, rollup
from tests import postgres
from tests.bench import arrivals, asked, fleet, floor
from tests.bench.arrivals import Arrived
from tests.bench.asked import EVERYTHING, ONE, QUARTER, SERVICE, Raw, Reader, Took
from tests.bench.beside import NOTHING, Beside, Table
from tests.bench.fleet import Pool, Size
from tests.bench.naive import (
    LayoutA,
    LayoutB,
    Measured,
    NaiveProfile,
    PostgresRows,
    SqliteRows,
    measure,
)
from tests.bench.report import report
from tests.bench.stored import Store, Written
from tests.bench.workloads import MissingError

A_HOSTS, B_HOSTS = 4, 16
"""Whose profiles of an hour the naive layouts hold."""
HOT_HOUR = 23
MONTH, QUARTER_DAYS = 30, 90
ROW_BYTES = 100
"""What a row takes beside its blob."""
FLOOR_HOSTS = 12


@dataclass(frozen=True, slots=True)
class Engine:
    name: str
    folder: Path
    server: postgres.Postgres | None

    def url(self, name: str) -> str:
        """Of a new database."""
        return self.server.create_database() if self.server else f"sqlite:///{self.folder}/{name}"

    def rows(self, name: str) -> SqliteRows | PostgresRows:
        if self.server:
            return PostgresRows(self.server.create_database())
        return SqliteRows(self.folder / name)


def main(arguments: Sequence[str] = ()) -> None:
    options = parsed(arguments)
    size = Size(options.hosts, options.shared_hosts, options.services, options.days)
    with ExitStack() as opened:
        folder = Path(opened.enter_context(TemporaryDirectory()))
        kept = opened.enter_context(report("bench-store"))
        engines = list(chosen_engines(options.engines, folder, opened))
        print("drawing the pools of the services", file=sys.stderr)
        pools = fleet.pools(size.services)
        naive = {engine.name: measured_naive(engine, pools[0]) for engine in engines}
        least = native_floor(pools[0], folder)
        print("writing the fleet", file=sys.stderr)
        stores = [opened.enter_context(opened_store(engine, pools, size)) for engine in engines]
        written = fill(stores, pools, size)
        for engine, store, hot in zip(engines, stores, written, strict=True):
            a, b = naive[engine.name]
            table = Table(engine.name, kept)
            print_written(table, hot, a, b)
            print_size(table, store, a, b)
            if least:
                table.add("the native floor of q2", least, "ns/entry")
            print_asked(table, store, size, (a, b), least, pools)
            urls = [engine.url(f"arrivals-{number}.db") for number in range(2)]
            print_arrived(table, arrivals.measure(pools, urls, folder), a)


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-store")
    parser.add_argument("engines", nargs="*", help="sqlite, postgresql; both without a name")
    parser.add_argument("--hosts", type=int, default=50, help="that run the first service")
    parser.add_argument("--shared-hosts", type=int, default=4, help="that run all services")
    parser.add_argument("--services", type=int, default=8)
    parser.add_argument("--days", type=int, default=7)
    return parser.parse_args(arguments)


def chosen_engines(names: Sequence[str], folder: Path, opened: ExitStack) -> Iterator[Engine]:
    if not names or "sqlite" in names:
        yield Engine("SQLite", folder, None)
    if not names or "postgresql" in names:
        try:
            yield Engine("PostgreSQL", folder, opened.enter_context(postgres.running()))
        except postgres.PostgresMissingError as error:
            print(f"PostgreSQL is skipped: {error}")


def measured_naive(engine: Engine, pool: Pool) -> tuple[Measured, Measured]:
    print(f"writing the naive layouts, {engine.name}", file=sys.stderr)
    profiles = [
        NaiveProfile(pool, host, t0_ns, entries.nodes.tolist(), entries.samples.tolist())
        for host in range(B_HOSTS)
        for hour in (pool.hour(host, 10),)
        for t0_ns, entries in zip(hour.times.t0_ns.tolist(), fleet.profiles(hour), strict=True)
    ]
    few = [profile for profile in profiles if profile.host < A_HOSTS]
    a = measure(LayoutA, engine.rows("a.db"), few, QUARTER)
    b = measure(LayoutB, engine.rows("b.db"), profiles, QUARTER)
    (engine.folder / "a.db").unlink(missing_ok=True)
    return a, b


def opened_store(engine: Engine, pools: Sequence[Pool], size: Size) -> closing[Store]:
    database = Database(engine.url("ours.db"))
    migrations.migrate(database)
    return closing(Store(database, pools, size))


def fill(stores: Sequence[Store], pools: Sequence[Pool], size: Size) -> list[Written]:
    for store in stores:
        store.number()
    for hour in range(DAY_HOURS):
        made = [
            [pool.hour(host, hour) for host in range(size.hosts_of(i))]
            for i, pool in enumerate(pools)
        ]
        if hour == HOT_HOUR:
            rows = [
                (pool, host, chunk)
                for pool, chunks in zip(pools, made, strict=True)
                for host, chunk in enumerate(chunks)
            ]
            written = [store.add_rows(rows) for store in stores]
        else:
            for store in stores:
                for pool, chunks in zip(pools, made, strict=True):
                    store.add_chunks(pool, hour, chunks)
    for store in stores:
        store.renew()
        store.account()
        store.repeat()
    return written


def print_written(table: Table, hot: Written, a: Measured, b: Measured) -> None:
    beside = Beside(a.write_rate, b.write_rate, 60, 10)
    table.add("write, storage alone", hot.write_rate, "entries/s", 8e6, None, beside)
    table.add("compact", hot.compact_rate, "entries/s")


def print_size(table: Table, store: Store, a: Measured, b: Measured) -> None:
    """Summed up is what stands above the rollups of a series' hour: rollups, minutes, functions."""
    bytes, upper = stored_bytes(store)
    of_chunks, of_all = (n / store.entries for n in (bytes - upper, bytes))
    beside = Beside(a.bytes_an_entry, b.bytes_an_entry, 500, 8)
    table.add("size, chunks and all their overhead", of_chunks, "bytes/entry", None, 1.5, beside)
    table.add("size, with all that is summed up", of_all, "bytes/entry", None, 2.0, beside)


def stored_bytes(store: Store) -> tuple[int, int]:
    upper = [
        sa.select(_length(rollup.c.sums)).where(rollup.c.level != Level.SERIES_HOUR),
        sa.select(_length(minutes.c.sums)),
        sa.select(_length(function_history.c.costs)),
    ]
    with store.database.read() as transaction:
        above = sum(int(transaction.execute(wanted).scalar() or 0) for wanted in upper)
    return store.bytes() - store.empty_bytes, above


def _length(column: sa.Column[bytes]) -> sa.ColumnElement[int]:
    return sa.func.sum(sa.func.length(column) + ROW_BYTES)


def print_asked(
    table: Table,
    store: Store,
    size: Size,
    naive: tuple[Measured, Measured],
    least: float | None,
    pools: Sequence[Pool],
) -> None:
    """`least` is the native floor, in ns an entry."""
    a, b = naive

    def add(what: str, took: Took, at_most: float | None, beside: Beside = NOTHING) -> None:
        table.add(what, took.ms, "ms", None, at_most, beside, took.cpu_ms)

    def add_raw(what: str, raw: Raw, at_most: float | None, beside: Beside = NOTHING) -> None:
        ns, cpu_ns = (1e6 * ms / raw.entries for ms in (raw.took.ms, raw.took.cpu_ms))
        what = f"{what} raw, {raw.entries / 1e6:.0f} M entries"
        table.add(what, ns, "ns/entry", None, at_most, beside, cpu_ns)
        if least and at_most:
            table.add(f"{what}, beside the floor", ns / least, "times", None, 5, cpu=cpu_ns / least)

    def add_ratio(what: str, raw: Raw, took: Took, at_least: float | None) -> None:
        cpu = raw.took.cpu_ms / took.cpu_ms
        table.add(f"{what}, beside raw", raw.took.ms / took.ms, "times", at_least, cpu=cpu)

    reader = Reader(store.database)
    day, week = asked.hours(0, DAY_HOURS), asked.days(size.days)
    reader.draw(EVERYTHING, week)  # reads the symbols
    add("q1", reader.asked(ONE, QUARTER), 10, Beside(a.q1_ms, b.q1_ms, 10))
    raw = reader.raw(SERVICE, day)
    add_raw("q2", raw, 15, Beside(a.q2_ns, b.q2_ns, 80))
    summed = reader.asked(SERVICE, day)
    add("q2 with rollups", summed, 50)
    add_ratio("q2 with rollups", raw, summed, 10)
    if size.days > 1:
        print_compared(table, reader, day, asked.hours(DAY_HOURS, 2 * DAY_HOURS))
    everything = reader.raw(EVERYTHING, week)
    add_raw("q3", everything, None)
    aligned, cut = (reader.asked(EVERYTHING, within) for within in (week, asked.inside(week)))
    add("q3 aligned", aligned, 150)
    add_ratio("q3 aligned", everything, aligned, 40)
    add("q3 to the minute", cut, 1000)
    add_ratio("q3 to the minute", everything, cut, None)
    largest = max(pools, key=lambda pool: len(pool.parents))
    tree, nodes = reader.tree(f'cpu{{service_name="{largest.service}"}}', week)
    add(f"merged tree and JSON, {nodes:,} nodes", tree, 10)
    ns, cpu_ns = (1e6 * ms / nodes for ms in (tree.ms, tree.cpu_ms))
    table.add("merged tree and JSON, a node", ns, "ns", None, 50, cpu=cpu_ns)
    store.repeat_sums(QUARTER_DAYS)
    function = largest.frames[int(largest.node_frames[1])].function
    add(f"a function by hour, {MONTH} days", reader.history(function, asked.days(MONTH)), 50)
    add(
        f"trend of a function by day, {QUARTER_DAYS} days",
        reader.trend(function, asked.days(QUARTER_DAYS)),
        500,
    )
    add(f"top functions of the fleet, {MONTH} days", reader.top(asked.days(MONTH)), 1000)
    add(f"callers of a function, {MONTH} days", reader.callers(function, asked.days(MONTH)), 2000)
    month = TimeRange(asked.days(MONTH).to_ns, asked.days(2 * MONTH).to_ns)
    for what, took in {
        "overview": reader.answered(urls.OVERVIEW, month, since=f"{MONTH}d"),
        "movers": reader.answered(urls.MOVERS, month),
        "a function": reader.answered(urls.FUNCTION, month, function=function),
        "a function by service": reader.answered(
            urls.FUNCTION, month, function=function, by="service_name"
        ),
    }.items():
        add(f"{what}, {MONTH} days, HTTP", took, 1000)
    differ = reader.mismatches(reader.sums(EVERYTHING, week), everything.sums)
    table.add("nodes whose rollup differs from raw", differ, "nodes", None, 0)


def print_compared(table: Table, reader: Reader, before: TimeRange, after: TimeRange) -> None:
    """Two sides, each a day of q2, and what one query of one of them takes: both over HTTP as the
    page asks, both warm, then both of a server that has read no symbols yet."""
    for state, cold in (("warm", False), ("cold", True)):
        one = reader.answered(urls.FLAMEGRAPH, before, cold=cold, query=SERVICE)
        two = reader.answered(urls.DIFF, after, cold=cold, query=SERVICE, limit="0")
        for what, took in (("q2", one), ("two days of q2 compared", two)):
            table.add(f"{what}, HTTP, {state}", took.ms, "ms", cpu=took.cpu_ms)
        times, cpu = two.ms / one.ms, two.cpu_ms / one.cpu_ms
        table.add(f"compared beside one query, {state}", times, "times", None, 2, cpu=cpu)


def native_floor(pool: Pool, folder: Path) -> float | None:
    """Nanoseconds an entry."""
    try:
        return floor.ns_an_entry([pool.hour(host, 12) for host in range(FLOOR_HOSTS)], folder)
    except MissingError as error:
        print(f"the native floor of q2 is skipped: {error}")
        return None


def print_arrived(table: Table, arrived: Arrived, a: Measured) -> None:
    """The ratio is that to the rows of A, written without a network."""
    naive = Beside(a.write_rate, None, 5)
    for what, rate, at_least in (
        ("arrive, stateless", arrived.stateless, 0.7e6),
        ("arrive, new stacks", arrived.new, None),
        ("arrive, known stacks", arrived.known, 5e6),
        ("arrive, known stacks, 1 series a batch", arrived.single, None),
    ):
        beside = naive if at_least else NOTHING
        table.add(what, rate.wall, "entries/s", at_least, None, beside, rate.cpu)


if __name__ == "__main__":
    main(sys.argv[1:])
