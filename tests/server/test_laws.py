"""The store against a plain dictionary: any order, split and repetition of the same batches, on
any stream of any server, gives the same answers."""

from collections import Counter
from dataclasses import dataclass
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from profiler import selector
from profiler.model import Drain
from server.ingest.ingester import Ingester
from server.query import selection
from server.query.profile import merged_profile
from server.query.timeline import timeline
from server.store.catalog import TimeRange
from server.store.database import Database
from server.store.symbols import SymbolReader
from tests import builders
from tests.server.drains import MIDNIGHT, TEN_SECONDS, Sender, drain, series

HOSTS = ("a", "b")
SERVICES = ("checkout", "search", "")
STACKS = ("", "main", "main;f", "main;f;f", "main;g", "thread:w;main;f", "f_[k]", "f")
SELECTORS = (
    "cpu",
    'cpu{host_name="a"}',
    'cpu{service_name=~"check.*|search"}',
    'cpu{service_name=""}',
    'cpu{host_name!="a",service_name="search"}',
    'cpu{zone="north"}',
    "off_cpu",
)
SLOTS = 6

tenants = (f"tenant-{number}" for number in count())

profiles = st.dictionaries(
    st.tuples(st.sampled_from(SERVICES), st.sampled_from(("", "north"))),
    st.dictionaries(st.sampled_from(STACKS), st.integers(0, 1000), max_size=6),
    max_size=3,
)


@st.composite
def drains(draw: st.DrawFn) -> Drain:
    host = draw(st.sampled_from(HOSTS))
    held = [
        series(
            *(f"{stack} {samples}" for stack, samples in stacks.items()),
            host=host,
            service=service,
            **({"zone": zone} if zone else {}),
        )
        for (service, zone), stacks in draw(profiles).items()
    ]
    return drain(
        *held,
        host=host,
        start_ns=MIDNIGHT + draw(st.integers(0, SLOTS - 1)) * TEN_SECONDS,
        losses=draw(st.dictionaries(st.sampled_from(("ring_full", "spool_full")), st.just(3))),
    )


@dataclass(frozen=True)
class Delivery:
    """Which drain arrives, on which stream of which server."""

    number: int
    server: int
    stream: int


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Drain], list[Delivery]]:
    """Drains, each delivered at least once, in any order."""
    sent = draw(st.lists(drains(), min_size=1, max_size=6))
    again = draw(st.lists(st.integers(0, len(sent) - 1), max_size=6))
    order = draw(st.permutations([*range(len(sent)), *again]))
    two = st.integers(0, 1)
    return sent, [Delivery(number, draw(two), draw(two)) for number in order]


class Expected:
    """What a dictionary makes of the same drains."""

    def __init__(self, drains: list[Drain], chosen: str, within: TimeRange) -> None:
        meant = selector.parse(chosen)
        inside = [one for one in drains if within.from_ns <= one.start_ns < within.to_ns]
        self.stacks: Counter[tuple[str, ...]] = Counter()
        self.buckets: Counter[int] = Counter()
        for one in inside:
            for profile in one.profiles:
                if profile.type.name == meant.profile_type and meant.matches(dict(profile.labels)):
                    self.stacks.update(builders.stacks(profile))
                    self.buckets[one.start_ns] += profile.total_samples
        self.taken = sum(one.taken for one in inside)
        self.losses: Counter[str] = Counter()
        for one in inside:
            self.losses.update(one.losses)


@given(histories(), st.sampled_from(SELECTORS), st.integers(0, SLOTS), st.integers(1, SLOTS))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_order_split_and_repetition_answers_as_a_dictionary_does(
    database: Database,
    history: tuple[list[Drain], list[Delivery]],
    chosen: str,
    first: int,
    length: int,
) -> None:
    drains, deliveries = history
    tenant = next(tenants)
    # A cache for nearly nothing and epochs of a few nodes: every path is taken.
    servers = [
        Ingester(database, tenant, epoch_nodes=9, cached_nodes=limit) for limit in (1, 10_000)
    ]
    streams = [[Sender(server) for _ in range(2)] for server in servers]
    for delivery in deliveries:
        sender = streams[delivery.server][delivery.stream]
        sender.send(drains[delivery.number], sequence=delivery.number)

    within = TimeRange(MIDNIGHT + first * TEN_SECONDS, MIDNIGHT + (first + length) * TEN_SECONDS)
    expected = Expected(drains, chosen, within)
    with database.read() as transaction:
        found = selection.select(transaction, tenant, selector.parse(chosen), within)
        profile = merged_profile(transaction, SymbolReader(), found)
        shown = timeline(transaction, found, TEN_SECONDS)
        totals = selection.totals(transaction, found)
        everything = selection.select(transaction, tenant, selector.parse("cpu"), within)
        accounts = selection.account(transaction, everything)

    assert builders.stacks(profile) == +expected.stacks
    assert profile.total_value == profile.total_samples * builders.PERIOD_NS
    assert dict(zip(shown.times_ns, shown.samples, strict=True)) == {
        time_ns: expected.buckets[time_ns] for time_ns in shown.times_ns
    }
    assert sum(total.samples for _, total in totals) == profile.total_samples
    assert (accounts.taken, Counter(accounts.losses)) == (expected.taken, expected.losses)
    assert accounts.taken == accounts.stored + sum(accounts.losses.values())
