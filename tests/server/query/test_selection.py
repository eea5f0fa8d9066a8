"""Whose losses count, and what stands behind an answer."""

from contextlib import suppress

import pytest

from profiler import selector
from profiler.errors import UsageError
from profiler.model import CPU, ProfileBuilder, ProfileType
from server.config import TENANT
from server.ingest.ingester import Ingester
from server.query import selection
from server.query.timeline import timeline
from server.store.database import Database
from server.store.hours import TimeRange
from tests import builders
from tests.server.drains import MIDNIGHT, SECOND, TEN_SECONDS, Sender, drain, send_all, series
from tests.server.reading import DAY, read, total

HUGE = 2**52


@pytest.fixture
def filled(database: Database) -> Database:
    """a: two services, and a loss; b: one service; c: everything lost."""
    ingester = Ingester(database, TENANT)
    hosts = {
        "a": [
            drain(
                series("main 3", host="a"),
                series("main 2", host="a", service="search"),
                host="a",
                losses={"ring_full": 1},
            ),
            drain(series("main 1", host="a"), host="a", start_ns=MIDNIGHT + TEN_SECONDS),
        ],
        "b": [drain(series("main 4", host="b"), host="b", losses={"spool_full": 2})],
        "c": [drain(host="c", losses={"spool_full": 7})],
    }
    for collector, drains in enumerate(hosts.values()):
        send_all(ingester, drains, collector)
    return database


@pytest.mark.parametrize(
    ("query", "taken", "losses"),
    [
        ("cpu", 20, {"ring_full": 1, "spool_full": 9}),
        ('cpu{host_name="a"}', 7, {"ring_full": 1}),
        ('cpu{host_name="c"}', 7, {"spool_full": 7}),
        ('cpu{host_name=~"b|c"}', 13, {"spool_full": 9}),
        ('cpu{host_name!="a"}', 13, {"spool_full": 9}),
        # A service's losses are not known; those of its hosts are.
        ('cpu{service_name="search"}', 7, {"ring_full": 1}),
        ('cpu{service_name="checkout"}', 13, {"ring_full": 1, "spool_full": 2}),
        ('cpu{host_name="a",service_name="none"}', 0, {}),
        ('cpu{host_name="a",host_name="b"}', 0, {}),
        ("off_cpu", 0, {}),
    ],
)
def test_losses_are_those_of_the_hosts_that_are_selected(
    filled: Database, query: str, taken: int, losses: dict[str, int]
) -> None:
    accounts = read(filled, query).accounts
    assert (accounts.taken, accounts.losses) == (taken, losses)


def test_losses_count_in_the_range_of_their_batch(filled: Database) -> None:
    later = TimeRange(MIDNIGHT + 1, MIDNIGHT + TEN_SECONDS + 1)
    reading = read(filled, within=later)
    assert (reading.accounts.taken, reading.accounts.losses) == (1, {})
    assert reading.profile.total_samples == 1


def test_coverage_counts_what_stands_behind_an_answer(filled: Database) -> None:
    coverage = read(filled).coverage
    assert (coverage.hosts, coverage.series, coverage.profiles) == (2, 3, 4)
    assert not coverage.recorded


def test_a_replayed_recording_is_marked(database: Database) -> None:
    send_all(Ingester(database, TENANT), [drain(series("main 1", profiler_recorded="true"))])
    assert read(database).coverage.recorded


def test_a_merged_profile_says_its_window_and_what_all_share(filled: Database) -> None:
    profile = read(filled, 'cpu{service_name="checkout"}').profile
    assert profile.labels == (("service_name", "checkout"),)
    assert (profile.start_ns, profile.duration_ns) == (MIDNIGHT, 86400 * SECOND)
    assert (profile.type, profile.period) == (CPU, builders.PERIOD_NS)


def test_values_are_exact_where_periods_differ(database: Database) -> None:
    fast = builders.profile("main 3", period=7, labels=(("host_name", "a"),))
    slow = builders.profile("main 2", period=11, labels=(("host_name", "a"),))
    send_all(Ingester(database, TENANT), [drain(fast), drain(slow)])
    profile = read(database).profile
    assert (profile.total_samples, profile.total_value, profile.period) == (5, 43, 0)


def test_values_without_a_period_are_kept_one_by_one(database: Database) -> None:
    builder = ProfileBuilder()
    for name, samples, value in (("f", 3, 1_000_003), ("g", 2, 5)):
        builder.add([builders.frame(name)], samples, value)
    blocked = ProfileType("off_cpu", "nanoseconds")
    sent = drain(builder.build(blocked, labels=(("host_name", "a"),)), type=blocked)
    send_all(Ingester(database, TENANT), [sent])
    profile = read(database, "off_cpu").profile
    assert {stack[0].function: (n, value) for stack, n, value in profile.stacks()} == {
        "f": (3, 1_000_003),
        "g": (2, 5),
    }


def test_sums_beyond_64_bits_are_refused_and_not_wrapped(database: Database) -> None:
    """Only a hostile sender comes that far: 2,100 batches of 2**52 samples."""
    sender = Sender(Ingester(database, TENANT))
    huge = drain(builders.profile(f"main {HUGE}", period=1, labels=(("host_name", "a"),)))
    sender.send_together([huge] * 2100)
    with pytest.raises(UsageError, match="exceed 64 bits: choose a shorter range"):
        total(database)
    with suppress(UsageError):  # PostgreSQL's sums have no bound
        assert _timeline(database) == HUGE * 2100


def test_the_series_of_one_window_are_spread_as_one(database: Database) -> None:
    """Each alone would put its one sample into the last bucket of the two."""
    one = [series("main 1", service=service, pod=pod) for service, pod in ("ax", "ay", "bx")]
    send_all(Ingester(database, TENANT), [drain(*one)])
    with database.read() as transaction:
        found = selection.select(transaction, TENANT, selector.parse("cpu"), DAY)
        shown = timeline(transaction, found, 5 * SECOND)
    assert [count for count in shown.samples if count] == [1, 2]


def _timeline(database: Database) -> int:
    with database.read() as transaction:
        found = selection.select(transaction, TENANT, selector.parse("cpu"), DAY)
        return sum(timeline(transaction, found, 3600 * SECOND).samples)
