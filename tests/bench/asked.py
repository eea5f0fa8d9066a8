"""What queries of a stored fleet take, from the selector to the JSON of the flamegraph.

Raw: the same sums from the profiles of every chunk, as if there were no rollups; and where the two
differ.
"""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import orjson
from flask.testing import FlaskClient
from numpy.typing import NDArray

from profiler import selector
from profiler.analysis import changes, clusters, flamegraph, packed, top
from profiler.analysis.callers import sandwich
from profiler.analysis.packed import columns
from profiler.clock import SystemClock
from profiler.model import CPU
from server.alerts.rules import Alerts
from server.api import create_app
from server.api.backend import Backend
from server.config import TENANT
from server.metrics import Metrics
from server.query import history, selection, trend
from server.query.forest import forest
from server.query.history import Wanted
from server.query.trend import Question
from server.store import archive
from server.store.database import Database
from server.store.function_tree import FunctionTrees
from server.store.hours import DAY_HOURS, HOUR_NS, TimeRange
from server.store.samples import Part
from server.store.sums import Columns, Log, Sums, add_up
from server.store.symbols import SymbolReader
from tests.bench.fleet import FIRST_HOUR, MINUTE_NS

ROUNDS, RAW_ROUNDS = 7, 3
ONE = 'cpu{service_name="service-0",host_name="host-0"}'
SERVICE = 'cpu{service_name="service-0"}'
EVERYTHING = "cpu"

_AS_THE_PAGE = {"Accept": packed.MEDIA_TYPE, "Accept-Encoding": "gzip"}


def hours(first: int, end: int) -> TimeRange:
    return TimeRange((FIRST_HOUR + first) * HOUR_NS, (FIRST_HOUR + end) * HOUR_NS)


QUARTER = TimeRange(hours(10, 11).from_ns, hours(10, 11).from_ns + 15 * MINUTE_NS)
"""Of an hour that is compacted; the naive layouts hold it too."""


@dataclass(frozen=True, slots=True)
class Took:
    """By the clock, and of the CPU time of this process: on a busy machine, the better one to know
    what a quiet one would take, though without the database's on PostgreSQL."""

    ms: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Raw:
    took: Took
    entries: int
    sums: Sums


class Reader:
    """Asks as the API does, with what the server remembers between queries."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._symbols = SymbolReader()
        self._trees = FunctionTrees(self._symbols)

    def draw(self, query: str, within: TimeRange) -> None:
        """A flamegraph as JSON."""
        with self._database.read() as transaction:
            chosen = selection.select(transaction, TENANT, selector.parse(query), within)
            trees = forest(transaction, self._trees, chosen)
        as_json(columns(flamegraph.draw(trees)))

    def sums(self, query: str, within: TimeRange) -> Sums:
        with self._database.read() as transaction:
            chosen = selection.select(transaction, TENANT, selector.parse(query), within)
            return add_up(transaction, chosen.groups, chosen.kept)

    def asked(self, query: str, within: TimeRange) -> Took:
        return best(lambda: self.draw(query, within))

    def tree(self, query: str, within: TimeRange) -> tuple[Took, int]:
        """What tree and JSON take once everything is added up, and how many nodes there are."""
        sums = self.sums(query, within)
        with self._database.read() as transaction:

            def draw() -> int:
                trees = self._trees.forest(transaction, sums, CPU)
                as_json(columns(flamegraph.draw(trees)))
                return sum(len(tree.totals) for tree in trees.trees)

            return best(draw), draw()

    def history(self, function: str, within: TimeRange) -> Took:
        """The cost of a function in each hour, of everything."""

        def ask() -> None:
            with self._database.read() as transaction:
                chosen = selection.select(transaction, TENANT, selector.parse("cpu"), within)
                found = history.read(transaction, self._trees, chosen, Wanted(function))
            as_json([found.everything, list(found.functions.values())])

        return best(ask)

    def trend(self, function: str, within: TimeRange) -> Took:
        """The cost of a function in each day, of everything, with intervals and changes."""

        def ask() -> None:
            with self._database.read() as transaction:
                chosen = selection.select(transaction, TENANT, selector.parse("cpu"), within)
                found = trend.read(transaction, self._trees, chosen, Question(Wanted(function)))
            (costed,) = found.values.values()
            n = costed.everything[3].astype(np.float64)
            for table in costed.functions.values():
                shares = clusters.shares(table[3].astype(np.float64), n)
                as_json([shares.low, shares.high, len(changes.changes(shares.share))])

        return best(ask)

    def top(self, within: TimeRange) -> Took:
        """The most expensive functions of everything."""

        def ask() -> None:
            with self._database.read() as transaction:
                chosen = selection.select(transaction, TENANT, selector.parse("cpu"), within)
                trees = forest(transaction, self._trees, chosen)
            as_json([cost.row for cost in top.functions(trees, 20).functions])

        return best(ask)

    def callers(self, function: str, within: TimeRange) -> Took:
        """The two trees around a function."""

        def ask() -> None:
            with self._database.read() as transaction:
                chosen = selection.select(transaction, TENANT, selector.parse("cpu"), within)
                trees = forest(transaction, self._trees, chosen)
            found = sandwich(trees, function)
            for side in (found.callers, found.callees):
                as_json(columns(flamegraph.draw(side)))

        return best(ask)

    def answered(self, path: str, within: TimeRange, *, cold: bool = False, **query: str) -> Took:
        """An answer of the HTTP API to a question about everything, in the form that the page asks
        for, without a network; `cold`: of a server that remembers nothing."""
        client = self._client(self._symbols, self._trees)
        range = {"from": str(within.from_ns // 10**6), "to": str(within.to_ns // 10**6)}

        def forget() -> None:
            nonlocal client
            symbols = SymbolReader()
            client = self._client(symbols, FunctionTrees(symbols))

        def ask() -> None:
            wanted = {"query": "cpu"} | range | query
            answer = client.get(path, query_string=wanted, headers=_AS_THE_PAGE)
            assert answer.status_code == 200, answer.text

        return best(ask, forget if cold else None)

    def _client(self, symbols: SymbolReader, trees: FunctionTrees) -> FlaskClient:
        parts = (self._database, symbols, trees, Metrics(), SystemClock(), TENANT)
        return create_app(Backend(*parts, Alerts()), "127.0.0.1").test_client()

    def _of(self, log: Log, sums: Sums) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        with self._database.read() as transaction:
            nodes = len(self._symbols.tree(transaction, *log).parents)
        return sums.columns.get(log, Columns()).of(log, nodes)

    def raw(self, query: str, within: TimeRange) -> Raw:
        """Sums of whole hours from profiles alone; of a day, the best of several times."""
        return min(
            (
                self._raw(query, within)
                for _ in range(RAW_ROUNDS if len(within.hours) <= DAY_HOURS else 1)
            ),
            key=lambda raw: raw.took.ms,
        )

    def _raw(self, query: str, within: TimeRange) -> Raw:
        started, cpu_started = time.perf_counter(), time.process_time()
        parts: dict[Log, Columns] = {}
        entries = 0
        with self._database.read() as transaction:
            chosen = selection.select(transaction, TENANT, selector.parse(query), within)
            for group in chosen.groups:
                with closing(archive.read(transaction, group, within.hours)) as chunks:
                    for stored in chunks:
                        entries += len(stored.profiles.nodes)
                        row = stored.cut(within.from_ns, within.to_ns)
                        log, period = (row.key.scope_id, row.key.epoch), row.key.period
                        part = Part(*log, period, row.totals.samples, 0, row.entries)
                        parts.setdefault(log, Columns()).add(part)
        cpu_ms = 1000 * (time.process_time() - cpu_started)
        took = Took(1000 * (time.perf_counter() - started), cpu_ms)
        return Raw(took, entries, Sums(parts, 0, 0, 0))

    def mismatches(self, some: Sums, others: Sums) -> int:
        """Nodes whose sums differ."""
        found = 0
        for log in some.columns.keys() | others.columns.keys():
            one, other = self._of(log, some), self._of(log, others)
            found += int(np.count_nonzero((one[0] != other[0]) | (one[1] != other[1])))
        return found


def as_json(body: object) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)


def best(work: Callable[[], object], before: Callable[[], object] | None = None) -> Took:
    """Of several: what else the machine does at times is not what is measured. `before` each of
    them, what does not count."""
    work()
    found = []
    for _ in range(ROUNDS):
        if before:
            before()
        started, cpu_started = time.perf_counter(), time.process_time()
        work()
        cpu = time.process_time() - cpu_started
        found.append(Took(1000 * (time.perf_counter() - started), 1000 * cpu))
    return Took(min(one.ms for one in found), min(one.cpu_ms for one in found))


def days(count: int) -> TimeRange:
    return hours(0, count * DAY_HOURS)


def inside(within: TimeRange) -> TimeRange:
    """Cut to the minute at both ends."""
    return TimeRange(within.from_ns + 7 * MINUTE_NS, within.to_ns - 7 * MINUTE_NS)
