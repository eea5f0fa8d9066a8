"""The samples of a selection by host."""

from profiler import selector
from profiler.analysis import tree
from profiler.model import Profile
from server.config import TENANT
from server.ingest.ingester import Ingester
from server.query import selection, units
from server.query.profile import merged_profile
from server.store import compaction
from server.store.database import Database
from server.store.function_tree import FunctionTrees
from server.store.hours import TimeRange
from server.store.symbols import SymbolReader
from tests.builders import stacks
from tests.server.drains import MIDNIGHT, SECOND, drain, send_all, series
from tests.server.reading import DAY


def units_of(
    database: Database, query: str = "cpu", within: TimeRange = DAY
) -> tuple[Profile, ...]:
    with database.read() as transaction:
        found = selection.select(transaction, TENANT, selector.parse(query), within)
        return units.of(transaction, FunctionTrees(SymbolReader()), found).sides[0]


def fill(database: Database) -> None:
    ingester = Ingester(database, TENANT)
    a = drain(
        series("main;f 3", "main 1", host="a"),
        series("main;g 2", host="a", service="search"),
        host="a",
    )
    b = drain(series("main;f 4", "other;f 5", host="b"), host="b")
    for collector, one in enumerate((a, b)):
        send_all(ingester, [one], collector)


def by_host(database: Database, query: str = "cpu") -> dict[str, Profile]:
    """The windows of each host, merged."""
    found: dict[str, list[Profile]] = {}
    for unit in units_of(database, query):
        found.setdefault(dict(unit.labels)["host_name"], []).append(unit)
    return {host: tree.merge(units) for host, units in found.items()}


def test_each_host_has_its_samples(database: Database) -> None:
    fill(database)
    found = by_host(database)
    assert {host: stacks(unit) for host, unit in found.items()} == {
        "a": {("main", "f"): 3, ("main",): 1, ("main", "g"): 2},
        "b": {("main", "f"): 4, ("other", "f"): 5},
    }
    only = by_host(database, 'cpu{host_name="a",service_name="search"}')
    assert stacks(only["a"]) == {("main", "g"): 2}
    assert {frame.function for frame in only["a"].frames} == {"main", "g"}


def test_the_units_add_up_to_the_whole(database: Database) -> None:
    fill(database)
    with database.read() as transaction:
        found = selection.select(transaction, TENANT, selector.parse("cpu"), DAY)
        whole = merged_profile(transaction, SymbolReader(), found)
    together = tree.merge(units_of(database))
    assert stacks(together) == stacks(whole)
    assert (together.total_value, together.type) == (whole.total_value, whole.type)
    assert (together.start_ns, together.duration_ns) == (whole.start_ns, whole.duration_ns)


def test_few_hosts_are_units_by_windows(database: Database) -> None:
    fill(database)
    two = units_of(database)
    assert len(two) == 6
    assert {unit.duration_ns for unit in two} == {8 * 3600 * 10**9}
    assert len({id(unit.parents) for unit in two}) == 1
    (one, *_), (other, *_) = two[:3], two[3:]
    assert one.labels != other.labels
    ingester = Ingester(database, TENANT)
    for number, host in enumerate("cd", 2):
        send_all(ingester, [drain(series("main 1", host=host), host=host)], number)
    assert [unit.duration_ns for unit in units_of(database)] == [24 * 3600 * 10**9] * 4


def test_what_came_later_in_the_hour_is_no_unit_of_before(database: Database) -> None:
    """As the version of a deploy, in the same chunk's hour as what ran before it."""
    ingester = Ingester(database, TENANT)
    before = drain(series("main;f 3", service_version="1"))
    after = drain(series("main;g 4", service_version="2"), start_ns=MIDNIGHT + 600 * SECOND)
    send_all(ingester, [before, after])
    with database.read() as transaction:
        (pending,) = compaction.pending(transaction)
    compaction.compact(database, pending)
    earlier = TimeRange(MIDNIGHT, MIDNIGHT + 300 * SECOND)
    found = tree.merge(units_of(database, 'cpu{service_name="checkout"}', earlier))
    assert stacks(found) == {("main", "f"): 3}


def test_nothing_has_no_units(database: Database) -> None:
    assert units_of(database) == ()


def test_of_a_tree_that_holds_little_else_is_left_out(database: Database) -> None:
    stacks_of_b = [f"main;other{number} 1" for number in range(10)]
    ingester = Ingester(database, TENANT)
    for collector, (host, lines) in enumerate((("a", ["main;f 3"]), ("b", stacks_of_b))):
        send_all(ingester, [drain(series(*lines, host=host), host=host)], collector)
    few = units_of(database, 'cpu{host_name="a"}')
    assert {frame.function for frame in few[0].frames} == {"main", "f"}
    most = units_of(database, 'cpu{host_name="b"}')
    assert len(most[0].parents) == len(units_of(database)[0].parents)
    assert by_host(database, 'cpu{host_name="b"}')["b"].total_samples == 10
    assert stacks(by_host(database)["a"]) == stacks(by_host(database, 'cpu{host_name="a"}')["a"])
