"""What queries of a stored fleet take, from the selector to the JSON of the flamegraph.

Raw: the same sums from the profiles of every chunk, as if there were no rollups; and where the two
differ.
"""

import json
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from profiler import selector
from profiler.analysis import flamegraph
from server.config import TENANT
from server.query import selection
from server.query.forest import forest
from server.query.function_tree import FunctionTrees
from server.query.sums import Columns, Log, add_up
from server.store import archive
from server.store.database import Database
from server.store.hours import DAY_HOURS, HOUR_NS, TimeRange
from server.store.samples import Part
from server.store.symbols import SymbolReader
from tests.bench.fleet import DRAWN_NODES, FIRST_HOUR, MINUTE_NS

ROUNDS, RAW_ROUNDS = 7, 3
ONE = 'cpu{service_name="service-0",host_name="host-0"}'
SERVICE = 'cpu{service_name="service-0"}'
LARGE = 'cpu{service_name="service-3"}'
EVERYTHING = "cpu"


def hours(first: int, end: int) -> TimeRange:
    return TimeRange((FIRST_HOUR + first) * HOUR_NS, (FIRST_HOUR + end) * HOUR_NS)


QUARTER = TimeRange(hours(10, 11).from_ns, hours(10, 11).from_ns + 15 * MINUTE_NS)
"""Of an hour that is compacted; the naive layouts hold it too."""


@dataclass(frozen=True, slots=True)
class Raw:
    seconds: float
    entries: int
    columns: dict[Log, Columns]

    @property
    def ns_an_entry(self) -> float:
        return 1e9 * self.seconds / self.entries


class Reader:
    """Asks as the API does, with what the server remembers between queries."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._symbols = SymbolReader()
        self._trees = FunctionTrees(self._symbols)

    def draw(self, query: str, within: TimeRange) -> int:
        """A flamegraph as JSON; the nodes that it was drawn from."""
        with self._database.read() as transaction:
            chosen = selection.select(transaction, TENANT, selector.parse(query), within)
            trees = forest(transaction, self._trees, chosen)
        graph = flamegraph.draw(trees, DRAWN_NODES)
        columns = (graph.depth, graph.frame, graph.self_values, graph.totals, graph.samples)
        json.dumps([column.tolist() for column in columns])
        json.dumps([frame.function for frame in graph.frames])
        return sum(len(tree.parents) for tree in trees.trees)

    def sums(self, query: str, within: TimeRange) -> dict[Log, Columns]:
        with self._database.read() as transaction:
            chosen = selection.select(transaction, TENANT, selector.parse(query), within)
            return add_up(transaction, chosen).columns

    def draw_ms(self, query: str, within: TimeRange) -> float:
        return best_ms(lambda: self.draw(query, within))

    def tree_ms(self, query: str, within: TimeRange) -> tuple[float, int]:
        """What the tree and the JSON take beside the sums, and how many nodes the tree has."""
        nodes = self.draw(query, within)
        drawn = best_ms(lambda: self.draw(query, within))
        return drawn - best_ms(lambda: self.sums(query, within)), nodes

    def raw(self, query: str, within: TimeRange) -> Raw:
        """Sums of whole hours from profiles alone; of a day, the best of several times."""
        return min(
            (
                self._raw(query, within)
                for _ in range(RAW_ROUNDS if len(within.hours) <= DAY_HOURS else 1)
            ),
            key=attrgetter("seconds"),
        )

    def _raw(self, query: str, within: TimeRange) -> Raw:
        started = time.perf_counter()
        columns: dict[Log, Columns] = {}
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
                        columns.setdefault(log, Columns()).add(part)
        return Raw(time.perf_counter() - started, entries, columns)

    def mismatches(self, some: dict[Log, Columns], others: dict[Log, Columns]) -> int:
        """Nodes whose sums differ."""
        found = 0
        for log in some.keys() | others.keys():
            with self._database.read() as transaction:
                nodes = len(self._symbols.tree(transaction, *log).parents)
            one, other = (sums.get(log, Columns()).of(log, nodes) for sums in (some, others))
            found += int(np.count_nonzero((one[0] != other[0]) | (one[1] != other[1])))
        return found


def best_ms(work: Callable[[], object]) -> float:
    """Of several: what else the machine does at times is not what is measured."""
    work()
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - started))
    return min(times)


def days(count: int) -> TimeRange:
    return hours(0, count * DAY_HOURS)


def inside(within: TimeRange) -> TimeRange:
    """Cut to the minute at both ends."""
    return TimeRange(within.from_ns + 7 * MINUTE_NS, within.to_ns - 7 * MINUTE_NS)
