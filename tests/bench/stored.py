"""Brings a fleet into a store: its last hour as batches write it, the rest as compaction does."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import psycopg
import sqlalchemy as sa

from profiler.model import CPU
from server.config import TENANT
from server.store import archive, catalog, compaction, horizon, hot, renewal, stale
from server.store.catalog import SeriesName
from server.store.chunk import Chunk
from server.store.database import Database
from server.store.function_tree import FunctionTrees
from server.store.hot import Row
from server.store.hours import DAY_HOURS, HOUR_NS
from server.store.plan import Level
from server.store.rollup import Key
from server.store.schema import chunk, drain, function_history, minutes, rollup, series
from server.store.size import holdings
from server.store.symbols import SymbolReader, SymbolWriter
from tests.bench import fleet
from tests.bench.fleet import FIRST_HOUR, MINUTE_NS, PERIOD_NS, Pool, Size

PROFILES_A_COMMIT = 200
"""What a server under load commits at once."""
PARTS = 4
T = TypeVar("T")
_NODES_A_SEGMENT = 20_000


@dataclass(frozen=True, slots=True)
class Written:
    """How fast hot rows were written, and compacted."""

    write_rate: float
    compact_rate: float
    """Entries a second."""


class Store:
    """A database that a fleet is written to, day by day."""

    def __init__(self, database: Database, pools: Sequence[Pool], size: Size) -> None:
        self.database = database
        self._pools = pools
        self._size = size
        self._scopes: list[int] = []
        self._series: dict[tuple[int, int], int] = {}
        self.entries = 0
        self.empty_bytes = self.bytes()

    def bytes(self) -> int:
        """Of everything in the database, without what was deleted."""
        if not self.database.sqlite:
            url = self.database.url.set(drivername="postgresql")
            with psycopg.connect(url.render_as_string(False), autocommit=True) as connection:
                connection.execute("VACUUM")
        held = holdings(self.database, 0)
        return held.bytes - held.free_bytes

    def close(self) -> None:
        self.database.__exit__(None, None, None)

    def number(self) -> None:
        """The names of everything: scopes, series, symbols."""
        with self.database.write() as transaction:
            horizon.hold(transaction, TENANT, CPU.name)
            for pool in self._pools:
                scopes, _ = catalog.open_scopes(transaction, TENANT, [pool.service], time.time_ns())
                scope = scopes[pool.service]
                self._scopes.append(scope.scope_id)
                _log(transaction, pool, SymbolWriter(scope.scope_id, scope.epoch))
                for host in range(self._size.hosts_of(pool.number)):
                    labels = (("host_name", host_name(host)), ("service_name", pool.service))
                    name = SeriesName(scope.scope_id, CPU, labels)
                    (number,) = catalog.open_series(transaction, [name])
                    self._series[pool.number, host] = number

    def add_chunks(self, pool: Pool, hour: int, made: Sequence[Chunk]) -> None:
        """What compaction makes of the rows of a service's hour, a chunk a host."""
        scope_id, at = self._scopes[pool.number], FIRST_HOUR + hour
        with self.database.write() as transaction:
            stale.mark(transaction, scope_id, CPU.name, at)
            for host, chunk in enumerate(made):
                series_id = self._series[pool.number, host]
                key = Key(scope_id, CPU.name, Level.SERIES_HOUR, at, series_id, 0, PERIOD_NS)
                archive.write(transaction, key, chunk)
                catalog.compacted(transaction, scope_id, series_id, at)
                self.entries += len(chunk.entries.nodes)

    def add_rows(self, made: Iterable[tuple[Pool, int, Chunk]]) -> Written:
        """As batches write it, then compacted."""
        rows = [row for pool, host, chunk in made for row in self._rows(pool, host, chunk)]

        def write(some: Sequence[Row]) -> int:
            with self.database.write() as transaction:
                hot.add(transaction, [(0, some)])
            return sum(len(row.entries.nodes) for row in some)

        write_rate = best_rate(write, rows)
        started = time.perf_counter()
        with self.database.read() as transaction:
            pending = compaction.pending(transaction)
        for step in compaction.steps(pending):
            compaction.compact(self.database, step)
        entries = sum(len(row.entries.nodes) for row in rows)
        self.entries += entries
        return Written(write_rate, entries / (time.perf_counter() - started))

    def _rows(self, pool: Pool, host: int, made: Chunk) -> Iterator[Row]:
        scope_id, series_id = self._scopes[pool.number], self._series[pool.number, host]
        for t0_ns, entries in zip(made.times.t0_ns.tolist(), fleet.profiles(made), strict=True):
            yield Row(scope_id, series_id, t0_ns, 0, MINUTE_NS, PERIOD_NS, entries)

    def renew(self) -> None:
        trees = FunctionTrees(SymbolReader())
        for level in (Level.ALL_HOUR, Level.ALL_DAY):
            with self.database.read() as transaction:
                marks = stale.marks(transaction, level)
            for mark in marks:
                renewal.renew(self.database, mark, trees)

    def account(self) -> None:
        """A row a host and minute of the first day, as each batch leaves one."""
        minutes = FIRST_HOUR * HOUR_NS + np.arange(DAY_HOURS * fleet.MINUTES) * MINUTE_NS
        with self.database.write() as transaction:
            for host in range(self._size.hosts):
                rows = [
                    {
                        "tenant": TENANT,
                        "host_name": host_name(host),
                        "profile_type": CPU.name,
                        "t0_ns": t0_ns,
                        "uid": int.from_bytes(os.urandom(8), "big", signed=True),
                        "duration_ns": MINUTE_NS,
                        "taken": 1000,
                        "stored": 1000,
                        "losses": "{}",
                    }
                    for t0_ns in minutes.tolist()
                ]
                transaction.execute(drain.insert(), rows)

    def repeat(self) -> None:
        """The days after the first, with the same profiles; rows of their own all the same."""
        days = range(1, self._size.days)
        for day in days:
            with self.database.write() as transaction:
                for table in (chunk, rollup, minutes, function_history):
                    _copy(transaction, table, {"hour": table.c.hour + day * DAY_HOURS})
                t0_ns = drain.c.t0_ns + day * DAY_HOURS * HOUR_NS
                _copy(transaction, drain, {"t0_ns": t0_ns, "uid": drain.c.uid + day})
        with self.database.write() as transaction:
            last = FIRST_HOUR + self._size.days * DAY_HOURS - 1
            transaction.execute(series.update().values(last_hour=last))
        self.entries *= self._size.days

    def repeat_sums(self, days: int) -> None:
        """What is summed up by day, for so many days in all."""
        for day in range(self._size.days, days):
            with self.database.write() as transaction:
                for table, chosen in (
                    (rollup, rollup.c.level.in_((Level.SERIES_DAY, Level.ALL_DAY))),
                    (function_history, sa.true()),
                ):
                    _copy(transaction, table, {"hour": table.c.hour + day * DAY_HOURS}, chosen)
        with self.database.write() as transaction:
            last = FIRST_HOUR + days * DAY_HOURS - 1
            transaction.execute(series.update().values(last_hour=last))


def _copy(
    transaction: sa.Connection,
    table: sa.Table,
    changed: dict[str, sa.ColumnElement[int]],
    chosen: sa.ColumnElement[bool] | None = None,
) -> None:
    """The rows of the first day once more, with other values in some columns."""
    columns = [changed.get(column.name, column).label(column.name) for column in table.columns]
    first_day = (
        table.c.t0_ns < (FIRST_HOUR + DAY_HOURS) * HOUR_NS
        if "t0_ns" in table.c
        else table.c.hour < FIRST_HOUR + DAY_HOURS
    )
    names = [column.name for column in table.columns]
    wanted = sa.select(*columns).where(first_day, sa.true() if chosen is None else chosen)
    transaction.execute(table.insert().from_select(names, wanted))


def _log(transaction: sa.Connection, pool: Pool, symbols: SymbolWriter) -> None:
    frames = symbols.number_frames(transaction, pool.frame_rows)
    of_node = [0, *(frames[frame] for frame in pool.node_frames[1:].tolist())]
    parents = [0, *pool.parents[1:].tolist()]
    for first in range(1, len(parents), _NODES_A_SEGMENT):
        end = min(first + _NODES_A_SEGMENT, len(parents))
        known = [*range(first), *[-1] * (end - first)]
        numbers = symbols.number_nodes(transaction, known, parents[:end], of_node[:end])
        assert numbers[-1] == end - 1, "a pool's nodes are numbered as the log numbers them"


def best_rate(write: Callable[[Sequence[T]], int], profiles: Sequence[T]) -> float:
    """Entries a second, the best of several parts; `write` commits some and counts them."""
    rates = []
    size = -(-len(profiles) // PARTS)
    for part in (profiles[first : first + size] for first in range(0, len(profiles), size)):
        started = time.perf_counter()
        entries = sum(
            write(part[first : first + PROFILES_A_COMMIT])
            for first in range(0, len(part), PROFILES_A_COMMIT)
        )
        rates.append(entries / (time.perf_counter() - started))
    return max(rates)


def host_name(host: int) -> str:
    return f"host-{host}"
