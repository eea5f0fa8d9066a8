"""The store against a plain dictionary: any order, split and repetition of the same batches, on
any stream of any server, compacted and summed up whenever it may be, gives the same answers."""

from collections import Counter
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler import selector
from profiler.analysis import flamegraph, grouping, top
from profiler.analysis.grouping import FunctionKey
from profiler.analysis.top import FunctionCost
from profiler.model import Drain, Kind, Profile
from server.ingest.ingester import Ingester
from server.query import history, selection, trend
from server.query.forest import forest
from server.query.history import History, Wanted
from server.query.labels import by_label
from server.query.profile import merged_profile
from server.query.timeline import buckets, timeline
from server.query.trend import Question, Trend
from server.store import compaction, renewal, stale
from server.store.database import Database
from server.store.function_tree import FunctionTrees
from server.store.hours import TimeRange
from server.store.plan import Level
from server.store.spread import Spread, Windows
from server.store.symbols import SymbolReader
from tests import builders
from tests.profiler.analysis.test_flamegraph import paths
from tests.server.drains import MIDNIGHT, SECOND, TEN_SECONDS, Sender, drain, series

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
HOUR = 3600 * SECOND
STARTS = [
    MIDNIGHT + hour * HOUR + second * SECOND
    for hour in (0, 1, 23, 24, 47)
    for second in (0, 10, 55, 3590, 3595)
]
"""Of drains: two days, in three of their hours; the first moments and the last, across a minute and
across an hour."""

STEPS = (25 * SECOND, 60 * SECOND, 90 * SECOND, HOUR)
"""Of timelines: that cut minutes, that do not."""

HOURS = [MIDNIGHT + hour * HOUR for hour in (-24, 0, 1, 2, 24, 48, 72)]

EDGES = [start + offset for start in STARTS for offset in (0, 1)]
"""Of ranges: days, hours, beside the start of a drain."""

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
        start_ns=draw(st.sampled_from(STARTS)),
        losses=draw(st.dictionaries(st.sampled_from(("ring_full", "spool_full")), st.just(3))),
    )


@dataclass(frozen=True)
class Delivery:
    """Which drain arrives, on which stream of which server, and what is done then; `late`: after
    everything was compacted and summed up."""

    number: int
    server: int
    stream: int
    compact: int
    renew: int
    late: bool = False


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Drain], list[Delivery]]:
    """Drains, each delivered at least once, in any order, with any work in between; then one more
    of the time of the first, late."""
    sent = draw(st.lists(drains(), min_size=1, max_size=6))
    again = draw(st.lists(st.integers(0, len(sent) - 1), max_size=6))
    order = draw(st.permutations([*range(len(sent)), *again]))
    two = st.integers(0, 1)
    some = st.sampled_from((0, 1, 99))
    last = replace(sent[0], start_ns=sent[0].start_ns + 3 * SECOND)
    done = [Delivery(number, draw(two), draw(two), draw(some), draw(some)) for number in order]
    late = Delivery(len(sent), draw(two), draw(two), draw(some), draw(some), late=True)
    return [*sent, last], [*done, late]


class Expected:
    """What a dictionary makes of the same drains."""

    def __init__(self, drains: list[Drain], chosen: str, within: TimeRange) -> None:
        meant = selector.parse(chosen)
        inside = [one for one in drains if within.from_ns <= one.start_ns < within.to_ns]
        self.stacks: Counter[tuple[str, ...]] = Counter()
        self.hours: Counter[int] = Counter()
        self.windows: list[tuple[str, int, int]] = []
        """Label, start and samples."""
        self.costs: Counter[tuple[FunctionKey, int, str]] = Counter()
        """Of each function and hour, self and total samples."""
        for one in inside:
            for profile in one.profiles:
                if profile.type.name == meant.profile_type and meant.matches(dict(profile.labels)):
                    self.stacks.update(builders.stacks(profile))
                    self.hours[one.start_ns // HOUR] += profile.total_samples
                    zone = dict(profile.labels).get("zone", "")
                    self.windows.append((zone, one.start_ns, profile.total_samples))
                    self._count(profile, one.start_ns // HOUR)
        self.taken = sum(one.taken for one in inside)
        self.losses: Counter[str] = Counter()
        for one in inside:
            self.losses.update(one.losses)

    def timeline(self, times: range, zone: str | None = None) -> list[int]:
        """Of all, or of the series with a value of the label `zone`."""
        spread = Spread(1, times)
        for label, start_ns, samples in self.windows:
            if zone in (None, label):
                columns = (start_ns, TEN_SECONDS, samples, 0)
                one = Windows(0, *(np.array([number]) for number in (0, *columns)))
                spread.add(np.zeros(1, np.intp), one)
        found: list[int] = spread.total()[0].tolist()
        return found

    def _count(self, profile: Profile, hour: int) -> None:
        for stack, samples, _ in profile.stacks():
            functions = [grouping.key(frame) for frame in stack]
            for leaf in functions[-1:]:
                self.costs[leaf, hour, "self"] += samples
            for function in set(functions):
                self.costs[function, hour, "total"] += samples

    def by_hour(self, name: str) -> Counter[tuple[FunctionKey, int, str]]:
        return Counter({cell: n for cell, n in self.costs.items() if cell[0][0] == name and n})

    def by_function(self) -> Counter[tuple[FunctionKey, str]]:
        """Without threads."""
        found: Counter[tuple[FunctionKey, str]] = Counter()
        for (function, _, cost), samples in self.costs.items():
            if function[-1] is not Kind.THREAD:
                found[function, cost] += samples
        return +found


def by_function(costs: list[FunctionCost]) -> Counter[tuple[FunctionKey, str]]:
    found: Counter[tuple[FunctionKey, str]] = Counter()
    for cost in costs:
        function = cost.function, cost.file, cost.binary, cost.kind
        found[function, "self"] = cost.self_samples
        found[function, "total"] = cost.total_samples
    return +found


def by_hour(past: History) -> Counter[tuple[FunctionKey, int, str]]:
    found: Counter[tuple[FunctionKey, int, str]] = Counter()
    for function, costs in past.functions.items():
        for hour, self_samples, total_samples, *_ in zip(past.hours, *costs.tolist(), strict=True):
            found[function, hour, "self"] = self_samples
            found[function, hour, "total"] = total_samples
        assert (costs[2:] == costs[:2] * builders.PERIOD_NS).all()
    return +found


def by_bucket(found: Trend) -> Counter[tuple[FunctionKey, int, str]]:
    """Of all values and clusters."""
    sums: Counter[tuple[FunctionKey, int, str]] = Counter()
    for costed in found.values.values():
        for function, table in costed.functions.items():
            for bucket, costs in zip(found.buckets, table.sum(axis=1).T.tolist(), strict=True):
                sums[function, bucket, "self"] += costs[0]
                sums[function, bucket, "total"] += costs[1]
    return +sums


def in_buckets(
    hours: Counter[tuple[FunctionKey, int, str]], step_hours: int
) -> Counter[tuple[FunctionKey, int, str]]:
    sums: Counter[tuple[FunctionKey, int, str]] = Counter()
    for (function, hour, cost), samples in hours.items():
        sums[function, hour // step_hours, cost] += samples
    return sums


QUESTIONS = [
    (step_hours, by, cluster)
    for step_hours in (1, 24)
    for by in (None, "service_name", "zone")
    for cluster in (None, trend.HOSTS)
]


def maintain(database: Database, compact: int, renew: int) -> None:
    """Compacts so many series and hours, and renews so many marks, those of the newest scope
    first."""
    with database.read() as transaction:
        pending = compaction.pending(transaction)
        marks = [
            mark
            for level in (Level.ALL_HOUR, Level.ALL_DAY)
            for mark in stale.marks(transaction, level)
        ]
    for one in sorted(pending, key=lambda one: -one.scope_id)[:compact]:
        assert compaction.compact(database, one) == sum(one.rows.values())
    for mark in sorted(marks, key=lambda mark: -mark.scope_id)[:renew]:
        renewal.renew(database, mark)


@given(
    histories(),
    st.sampled_from(SELECTORS),
    st.lists(st.sampled_from(HOURS) | st.sampled_from(EDGES), min_size=2, max_size=2, unique=True),
    st.sampled_from(STEPS),
    st.lists(st.sampled_from(QUESTIONS), min_size=2, max_size=2, unique=True),
)
@settings(max_examples=60)
def test_any_order_split_and_repetition_answers_as_a_dictionary_does(
    database: Database,
    sent: tuple[list[Drain], list[Delivery]],
    chosen: str,
    edges: list[int],
    step_ns: int,
    questions: list[tuple[int, str | None, str | None]],
) -> None:
    drains, deliveries = sent
    tenant = next(tenants)
    # A cache for nearly nothing and epochs of a few nodes: every path is taken.
    servers = [
        Ingester(database, tenant, epoch_nodes=9, cached_nodes=limit) for limit in (1, 10_000)
    ]
    streams = [[Sender(server) for _ in range(2)] for server in servers]
    within = TimeRange(*sorted(edges))
    symbols = SymbolReader()
    trees = FunctionTrees(symbols)
    for delivery in deliveries:
        if delivery.late:
            maintain(database, 99, 99)
        sender = streams[delivery.server][delivery.stream]
        sender.send(drains[delivery.number], sequence=delivery.number)
        maintain(database, delivery.compact, delivery.renew)
        if delivery.compact:  # trees that have been read grow
            with database.read() as transaction:
                found = selection.select(transaction, tenant, selector.parse("cpu"), within)
                forest(transaction, trees, found)

    expected = Expected(drains, chosen, within)
    with database.read() as transaction:
        found = selection.select(transaction, tenant, selector.parse(chosen), within)
        profile = merged_profile(transaction, symbols, found)
        drawn = forest(transaction, trees, found)
        graph = flamegraph.draw(drawn, 10**6)
        zones = by_label(found, "zone", 2)
        shown = timeline(transaction, found, step_ns, zones.lines)
        past = history.read(transaction, trees, found, Wanted("f"))
        trends = [
            trend.read(transaction, trees, found, Question(Wanted("f"), step, by, 9, cluster))
            for step, by, cluster in questions
        ]
        everything = selection.select(transaction, tenant, selector.parse("cpu"), within)
        accounts = selection.account(transaction, everything)

    assert builders.stacks(profile) == +expected.stacks
    assert paths(graph) == paths(flamegraph.build(profile, 10**6))
    assert profile.total_value == profile.total_samples * builders.PERIOD_NS
    times = buckets(within, step_ns)
    assert shown.samples.tolist() == expected.timeline(times)
    assert (shown.values.sum(), shown.times_ns) == (profile.total_value, list(times))
    for line, (zone, total) in enumerate(zones.totals.items()):
        assert shown.lines[0, line].tolist() == expected.timeline(times, zone)
        assert shown.lines[0, line].sum() == total.samples
    assert by_function(top.functions(drawn).functions) == expected.by_function()
    assert by_hour(past) == expected.by_hour("f")
    assert dict(zip(past.hours, past.everything[1].tolist(), strict=True)) == {
        hour: expected.hours[hour] for hour in past.hours
    }
    assert (past.everything[3] == past.everything[1] * builders.PERIOD_NS).all()
    for one in trends:
        assert by_bucket(one) == in_buckets(expected.by_hour("f"), one.step_hours)
        all_samples = sum(costed.everything[1].sum() for costed in one.values.values())
        assert all_samples == profile.total_samples
    assert sum(total.samples for total in found.totals.values()) == profile.total_samples
    assert (accounts.taken, Counter(accounts.losses)) == (expected.taken, expected.losses)
    assert accounts.taken == accounts.stored + sum(accounts.losses.values())
