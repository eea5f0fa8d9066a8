"""One function: its lines, its shares and its trend are parts of what the table says."""

from dataclasses import dataclass

import numpy as np
import pytest

from profiler import selector
from profiler.analysis import top
from profiler.model import Frame, Profile, ProfileBuilder
from server.config import TENANT
from server.ingest.ingester import Ingester
from server.query import function, selection
from server.query.forest import forest
from server.query.history import Wanted
from server.store import compaction
from server.store.database import Database
from server.store.function_tree import FunctionTrees
from server.store.history import Costs
from server.store.sums import add_up
from server.store.symbols import SymbolReader
from tests.builders import PERIOD_NS, random_profile
from tests.server.drains import MIDNIGHT, SECOND, TEN_SECONDS, drain, send_all
from tests.server.reading import DAY

MAIN, F10, F20, G = (
    Frame("main"),
    Frame("f", "f.c", 10),
    Frame("f", "f.c", 20),
    Frame("g", "g.c", 1),
)


@dataclass(frozen=True)
class Known:
    lines: dict[int, list[int]]
    """Self and total samples by line."""
    costs: list[int]
    hosts: dict[str, list[int]]
    trend: Costs


def profile(*stacks: tuple[tuple[Frame, ...], int], host: str) -> Profile:
    builder = ProfileBuilder()
    for stack, samples in stacks:
        builder.add(stack, samples, samples * PERIOD_NS)
    labels = (("host_name", host), ("service_name", "checkout"))
    return builder.build(period=PERIOD_NS, labels=labels)


def known(database: Database, name: str, query: str = "cpu") -> Known:
    symbols = SymbolReader()
    trees = FunctionTrees(symbols)
    with database.read() as transaction:
        chosen = selection.select(transaction, TENANT, selector.parse(query), DAY)
        sums = add_up(transaction, chosen.groups, chosen.kept)
        found = function.find(transaction, symbols, trees, Wanted(name), list(sums.columns))
        costs = found.costs(sums)
        hosts = {
            host: found.costs(of)[:2].sum(axis=1).tolist()
            for host, of in function.by_label(transaction, chosen, "host_name", ["a", "b", ""])
        }
        times = range(MIDNIGHT, MIDNIGHT + 60 * SECOND, 10 * SECOND)
        trend = function.trend(transaction, chosen, found, times)["function"]
    lines = {line: costs[:2, i].tolist() for i, (_, line) in enumerate(found.lines)}
    return Known(lines, costs.sum(axis=1).tolist(), hosts, trend)


@pytest.fixture(params=["hot", "compacted"])
def filled(request: pytest.FixtureRequest, database: Database) -> Database:
    ingester = Ingester(database, TENANT)
    first = profile(((MAIN, F10), 3), ((MAIN, F20, G), 5), ((MAIN,), 7), host="a")
    second = profile(((MAIN, F10, F20, G), 2), ((MAIN, F20, G, F10), 4), host="a")
    send_all(
        ingester,
        [drain(first), drain(second, start_ns=MIDNIGHT + 3 * TEN_SECONDS)],
    )
    other = profile(((F20,), 9), host="b")
    send_all(ingester, [drain(other, host="b", start_ns=MIDNIGHT + TEN_SECONDS)], 2)
    if request.param == "compacted":
        compact(database)
    return database


def compact(database: Database) -> None:
    with database.read() as transaction:
        pending = compaction.pending(transaction)
    for one in pending:
        compaction.compact(database, one)


def test_a_stack_counts_at_the_line_where_the_function_stands_first(filled: Database) -> None:
    found = known(filled, "f")
    assert found.lines == {10: [3 + 4, 3 + 2], 20: [9, 5 + 4 + 9]}
    assert found.costs[:2] == [16, 23]
    assert found.costs[2:] == [16 * PERIOD_NS, 23 * PERIOD_NS]


def test_labels_and_times_are_parts_of_the_whole(filled: Database) -> None:
    found = known(filled, "f")
    assert found.hosts == {"a": [7, 14], "b": [9, 9], "": [0, 0]}
    assert found.trend[:2].tolist() == [[3, 9, 0, 4, 0, 0], [8, 9, 0, 6, 0, 0]]
    assert (found.trend[2:] == found.trend[:2] * PERIOD_NS).all()
    only_b = known(filled, "f", 'cpu{host_name="b"}')
    assert (only_b.costs[:2], only_b.hosts["a"]) == ([9, 9], [0, 0])


def test_a_function_that_is_not_there_costs_nothing(filled: Database) -> None:
    found = known(filled, "nobody")
    assert (found.lines, found.costs) == ({}, [0, 0, 0, 0])


def test_functions_cost_what_the_table_says(database: Database) -> None:
    made = random_profile(3000, functions=40)
    labels = (("host_name", "a"), ("service_name", "checkout"))
    columns = (made.frames, made.parents, made.node_frames, made.samples, made.values)
    one = Profile(*columns, period=PERIOD_NS, labels=labels)
    send_all(Ingester(database, TENANT), [drain(one)])
    with database.read() as transaction:
        chosen = selection.select(transaction, TENANT, selector.parse("cpu"), DAY)
        rows = top.functions(forest(transaction, FunctionTrees(SymbolReader()), chosen)).functions
    assert len(rows) > 30
    for row in rows[::5]:
        found = known(database, row.function)
        assert found.costs == [row.self_samples, row.total_samples, row.self_value, row.total_value]
        assert np.array_equal(found.trend.sum(axis=1), found.costs)
