"""The samples of a selection by host."""

from profiler import selector
from profiler.analysis import tree
from profiler.model import Profile
from server.config import TENANT
from server.ingest.ingester import Ingester
from server.query import selection, units
from server.query.profile import merged_profile
from server.store.database import Database
from server.store.function_tree import FunctionTrees
from server.store.symbols import SymbolReader
from tests.builders import stacks
from tests.server.drains import drain, send_all, series
from tests.server.reading import DAY


def by_host(database: Database, query: str = "cpu") -> tuple[Profile, ...]:
    with database.read() as transaction:
        found = selection.select(transaction, TENANT, selector.parse(query), DAY)
        return units.by_host(transaction, FunctionTrees(SymbolReader()), found)


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


def test_each_host_is_a_profile_of_its_samples(database: Database) -> None:
    fill(database)
    a, b = by_host(database)
    assert (a.labels, b.labels) == ((("host_name", "a"),), (("host_name", "b"),))
    assert stacks(a) == {("main", "f"): 3, ("main",): 1, ("main", "g"): 2}
    assert stacks(b) == {("main", "f"): 4, ("other", "f"): 5}
    assert a.parents is b.parents and a.frames is b.frames
    (alone,) = by_host(database, 'cpu{host_name="a",service_name="search"}')
    assert stacks(alone) == {("main", "g"): 2}


def test_the_hosts_add_up_to_the_whole(database: Database) -> None:
    fill(database)
    with database.read() as transaction:
        found = selection.select(transaction, TENANT, selector.parse("cpu"), DAY)
        whole = merged_profile(transaction, SymbolReader(), found)
    together = tree.merge(by_host(database))
    assert stacks(together) == stacks(whole)
    assert (together.total_value, together.type) == (whole.total_value, whole.type)
    assert (together.start_ns, together.duration_ns) == (whole.start_ns, whole.duration_ns)


def test_nothing_has_no_hosts(database: Database) -> None:
    assert by_host(database) == ()
