"""What is given up with age, and that the rest answers as a dictionary does."""

import threading
from collections import Counter
from dataclasses import replace
from itertools import count
from typing import Literal

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler import selector
from profiler.errors import FormatError
from profiler.model import Drain
from server.config import TENANT
from server.ingest.ingester import Ingester
from server.query import selection
from server.query.profile import merged_profile
from server.query.timeline import timeline
from server.store import compaction, epochs, horizon, renewal, retention, stale
from server.store.database import Database
from server.store.horizon import Horizon
from server.store.hours import HOUR_NS, TimeRange
from server.store.plan import Level
from server.store.retention import Ages, Policy
from server.store.schema import chunk, deploy, function_history, minutes, node_log, rollup, running
from server.store.schema import drain as drains_table
from server.store.symbols import SymbolReader
from tests.builders import stacks
from tests.server.drains import MIDNIGHT, SECOND, Sender, drain, series
from tests.server.reading import read, total
from tests.server.test_maintenance import settled

HOUR = MIDNIGHT // HOUR_NS
MINUTE = 60 * SECOND
YEARS = Ages(None, None, None)

Deed = Literal["work"] | tuple[Ages, int] | float
"""Compaction; to prune, at an hour; to send a drain."""

tenants = (f"tenant-{number}" for number in count())


def work(database: Database) -> None:
    """Compacts everything and sums everything up."""
    with database.read() as transaction:
        pending = compaction.pending(transaction)
    for one in pending:
        compaction.compact(database, one)
    for level in (Level.ALL_HOUR, Level.ALL_DAY):
        with database.read() as transaction:
            marks = stale.marks(transaction, level)
        for mark in marks:
            assert renewal.renew(database, mark)


def prune(database: Database, ages: Ages, hour: float, tenant: str = TENANT) -> None:
    """As if it were so many hours after midnight."""
    now_ns = MIDNIGHT + int(hour * HOUR_NS)
    for phase in retention.phases(database, tenant, Policy(ages), now_ns):
        for step in phase:
            step()


def rows(database: Database, table: sa.Table) -> int:
    with database.read() as transaction:
        return transaction.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def reach(database: Database, tenant: str = TENANT) -> Horizon:
    with database.read() as transaction:
        return horizon.read(transaction, tenant, "cpu")


def belongs(start_ns: int, within: TimeRange, kept: Horizon) -> bool:
    """Whether the unit in which a profile is kept begins in the range."""
    hour = start_ns // HOUR_NS
    unit_ns = HOUR_NS if hour < kept.minute else MINUTE if hour < kept.raw else 1
    begins_ns = start_ns // unit_ns * unit_ns
    return hour >= kept.hour and within.from_ns <= begins_ns < within.to_ns


starts = st.builds(
    lambda hour, minute, second: MIDNIGHT + hour * HOUR_NS + minute * MINUTE + second * SECOND,
    st.integers(0, 6),
    st.sampled_from((0, 1, 59)),
    st.sampled_from((0, 20)),
)
sent = st.builds(
    lambda start, stacks, lost: drain(
        series(*(f"{stack} {samples}" for stack, samples in stacks.items())),
        start_ns=start,
        losses={"ring_full": lost} if lost else {},
    ),
    starts,
    st.dictionaries(st.sampled_from(("main", "main;f", "g")), st.integers(1, 9), min_size=1),
    st.integers(0, 2),
)
ages = st.builds(
    lambda raw, minute, hour: Ages(raw, raw + minute, raw + minute + hour),
    st.integers(1, 3),
    st.integers(0, 2),
    st.integers(0, 2),
)
deeds = st.one_of(st.just("work"), st.tuples(ages, st.integers(0, 9)), st.integers(0, 5).map(float))


@given(
    st.lists(sent, min_size=1, max_size=6),
    st.lists(deeds, max_size=12),
    st.lists(
        st.one_of(starts, st.integers(-1, 8).map(lambda hour: MIDNIGHT + hour * HOUR_NS)),
        min_size=2,
        max_size=2,
        unique=True,
    ),
)
@settings(max_examples=40)
def test_what_is_kept_answers_as_a_dictionary_does(
    database: Database, drains: list[Drain], deeds: list[Deed], edges: list[int]
) -> None:
    tenant = next(tenants)
    sender = Sender(Ingester(database, tenant))
    stored: dict[int, Drain] = {}
    for deed in [0.0, *deeds]:
        if isinstance(deed, float):
            number = int(deed) % len(drains)
            early = drains[number].start_ns < reach(database, tenant).raw * HOUR_NS
            if early:
                with pytest.raises(FormatError):
                    sender.send(drains[number], number)
                sender = Sender(Ingester(database, tenant))
            else:
                sender.send(drains[number], number)
                stored[number] = drains[number]
        elif isinstance(deed, tuple):
            prune(database, *deed, tenant)
        else:
            work(database)

    within = TimeRange(*sorted(edges))
    with database.read() as transaction:
        found = selection.select(transaction, tenant, selector.parse("cpu"), within)
        profile = merged_profile(transaction, SymbolReader(), found)
        shown = timeline(transaction, found, HOUR_NS)
        accounts = selection.account(transaction, found)
    kept = reach(database, tenant)
    inside = [one for one in stored.values() if belongs(one.start_ns, within, kept)]
    expected: Counter[tuple[str, ...]] = Counter()
    for one in inside:
        expected.update(stacks(one.profiles[0]))
    assert stacks(profile) == expected
    assert sum(shown.samples) == expected.total()
    assert accounts.taken == sum(one.taken for one in inside)
    assert accounts.losses.get("ring_full", 0) == sum(
        one.losses.get("ring_full", 0) for one in inside
    )


@pytest.fixture
def sender(database: Database) -> Sender:
    return Sender(Ingester(database, TENANT))


def test_a_batch_older_than_what_is_kept_is_refused_also_if_it_was_stored(
    database: Database, sender: Sender
) -> None:
    one = drain(series("main 1"))
    sender.send(one, 0)
    work(database)
    prune(database, Ages(raw=2, minute=9, hour=99), hour=3)
    for collector in (1, 2):
        with pytest.raises(FormatError, match="older than the profiles that are kept"):
            Sender(Ingester(database, TENANT), collector).send(one, 0)
    assert total(database) == 1
    assert read(database).accounts.taken == 1


def test_old_profiles_are_merged_to_minutes(database: Database, sender: Sender) -> None:
    for number in range(12):
        start_ns = MIDNIGHT + number * 10 * SECOND
        sender.send(drain(series(f"main {number}"), start_ns=start_ns), number)
    work(database)
    second = TimeRange(MIDNIGHT + MINUTE, MIDNIGHT + 2 * MINUTE)
    cut = TimeRange(MIDNIGHT + MINUTE // 2, MIDNIGHT + MINUTE + 1)
    assert read(database, within=cut).profile.total_samples == sum(range(3, 7))
    phases = retention.phases(
        database, TENANT, Policy(Ages(raw=2, minute=9, hour=99)), MIDNIGHT + 3 * HOUR_NS
    )
    for done, phase in enumerate(phases):
        for step in phase:
            step()
        for within in (second, cut):  # the same answer, whatever is already done
            assert read(database, within=within).profile.total_samples == sum(range(6, 12)), done
    assert rows(database, drains_table) == 2
    assert read(database, within=second).coverage.profiles == 1


def test_chunks_go_and_the_sums_of_hours_stay(database: Database, sender: Sender) -> None:
    for number in range(4):
        start_ns = MIDNIGHT + number * HOUR_NS // 2
        sender.send(drain(series("main 1"), start_ns=start_ns), number)
    work(database)
    assert (rows(database, minutes), rows(database, function_history)) == (2, 2)
    prune(database, Ages(raw=1, minute=1, hour=99), hour=2)
    assert (rows(database, chunk), rows(database, drains_table)) == (1, 3)
    assert (rows(database, minutes), rows(database, function_history)) == (1, 2)
    first = TimeRange(MIDNIGHT, MIDNIGHT + HOUR_NS // 2)
    assert read(database, within=first).profile.total_samples == 2
    assert read(database, within=first).accounts.taken == 2
    prune(database, Ages(raw=1, minute=1, hour=1), hour=2)
    assert total(database) == 2
    prune(database, Ages(raw=1, minute=1, hour=1), hour=99)
    assert total(database) == 0
    for table in (chunk, minutes, rollup, function_history, drains_table):
        assert rows(database, table) == 0


def test_minutes_are_kept_until_the_last_row_is_compacted(
    database: Database, sender: Sender
) -> None:
    sender.send(drain(series("main 1"), start_ns=MIDNIGHT), 0)
    prune(database, Ages(raw=1, minute=1, hour=99), hour=9)
    assert (reach(database).raw, reach(database).minute) == (HOUR + 8, HOUR)
    work(database)
    prune(database, Ages(raw=1, minute=1, hour=99), hour=9)
    assert (reach(database).minute, total(database)) == (HOUR + 8, 1)


def test_each_profile_type_has_its_ages() -> None:
    policy = Policy(Ages(raw=7), {"wall": Ages(raw=1, minute=None, hour=None)})
    assert policy.of("cpu").raw == 7
    assert policy.of("wall").moved(Horizon(), 100) == Horizon(raw=99)


def test_a_horizon_never_goes_back() -> None:
    far = Ages(raw=1, minute=2, hour=3).moved(Horizon(), 100)
    assert far == Horizon(raw=99, minute=98, hour=97)
    assert YEARS.moved(far, 200) == far


def test_a_level_is_not_kept_longer_than_one_above_it() -> None:
    assert Ages(raw=None, minute=5, hour=2).moved(Horizon(), 100) == Horizon(98, 0, 98, 98)


def test_two_servers_may_prune_at_once(database: Database, sender: Sender) -> None:
    for number in range(6):
        sender.send(
            drain(series("main 1", "f 1"), start_ns=MIDNIGHT + number * HOUR_NS // 2), number
        )
    work(database)
    policy = Policy(Ages(raw=1, minute=2, hour=99))
    both = [retention.phases(database, TENANT, policy, MIDNIGHT + 4 * HOUR_NS) for _ in range(2)]
    for pair in zip(*both, strict=True):
        for phase in pair:
            for step in phase:
                step()
    assert total(database) == 12


def test_a_batch_in_hand_holds_the_horizon(database: Database, sender: Sender) -> None:
    sender.send(drain(series("main 1"), start_ns=MIDNIGHT + 9 * HOUR_NS), 0)
    pruning = threading.Thread(target=prune, args=(database, Ages(raw=1), 20))
    with database.write() as transaction:
        assert horizon.hold(transaction, TENANT, "cpu") == Horizon()
        pruning.start()
        pruning.join(0.5)
        assert pruning.is_alive()
    pruning.join(30)
    assert reach(database).raw == HOUR + 19


def test_who_moves_the_horizon_is_alone(database: Database, sender: Sender) -> None:
    """Else one that is slower would write what it has read, and move it back."""
    sender.send(drain(series("main 1"), start_ns=MIDNIGHT + 9 * HOUR_NS), 0)
    pruning = threading.Thread(target=prune, args=(database, Ages(raw=1), 20))
    with database.write() as transaction:
        present = horizon.take(transaction, TENANT, "cpu")
        pruning.start()
        pruning.join(0.5)
        assert reach(database) == present
        horizon.write(transaction, TENANT, "cpu", replace(present, raw=HOUR + 99))
    pruning.join(30)
    assert reach(database).raw == HOUR + 99


def test_a_chunk_is_not_merged_to_minutes_while_rows_are_moved_into_it(
    database: Database, sender: Sender
) -> None:
    sender.send(drain(series("main 1")), 0)
    work(database)
    sender.send(drain(series("main 2"), start_ns=MIDNIGHT + SECOND), 1)
    with database.read() as transaction:
        (rows_left,) = compaction.pending(transaction)
    pruning = threading.Thread(target=prune, args=(database, Ages(raw=1), 9))
    with database.write() as transaction:
        assert compaction._compact(transaction, rows_left) == 1
        pruning.start()
        pruning.join(0.5)
    pruning.join(30)
    prune(database, Ages(raw=1), 9)
    assert reach(database).thinned == HOUR + 8
    cut = TimeRange(MIDNIGHT, MIDNIGHT + MINUTE)  # read from the chunk
    assert read(database, within=cut).profile.total_samples == 3


def test_the_oldest_goes_where_there_are_too_many_bytes(database: Database, sender: Sender) -> None:
    for number in range(5):
        sender.send(drain(series("main 1"), start_ns=MIDNIGHT + number * HOUR_NS), number)
    work(database)
    now_ns = MIDNIGHT + 4 * HOUR_NS

    def limited(size_bytes: int) -> None:
        for phase in retention.phases(database, TENANT, Policy(YEARS, {}, size_bytes), now_ns):
            for step in phase:
                step()

    limited(1 << 30)
    assert (rows(database, chunk), total(database)) == (5, 5)
    limited(1)
    assert (rows(database, chunk), total(database)) == (1, 1)  # the present hour stays


def test_a_month_old_epoch_ends_and_is_dropped_when_nothing_speaks_of_it(
    database: Database,
) -> None:
    class Clock:
        now = MIDNIGHT

        def now_ns(self) -> int:
            return self.now

        def monotonic_ns(self) -> int:
            return self.now

        def sleep(self, seconds: float) -> None: ...

    ingester = Ingester(database, TENANT, clock=Clock())
    sender = Sender(ingester)
    sender.send(drain(series("main;old 1"), start_ns=MIDNIGHT), 0)
    work(database)
    month = epochs.LONGEST_NS // HOUR_NS
    prune(database, YEARS, hour=month)
    sender.send(drain(series("main;new 1"), start_ns=MIDNIGHT + month * HOUR_NS), 1)
    work(database)

    def logged() -> set[int]:
        with database.read() as transaction:
            return set(transaction.execute(sa.select(node_log.c.epoch)).scalars())

    assert logged() == {0, 1}
    prune(database, YEARS, hour=month + 48)
    assert logged() == {0, 1}
    prune(database, Ages(raw=1, minute=1, hour=24), hour=month + 23)
    prune(database, Ages(raw=1, minute=1, hour=24), hour=month + 24)
    assert logged() == {1}
    month_later = TimeRange(MIDNIGHT, MIDNIGHT + (month + 1) * HOUR_NS)
    assert stacks(read(database, within=month_later).profile) == {("main", "new"): 1}
    assert settled(database)


def test_deploys_are_kept_as_long_as_the_sums_of_hours(database: Database, sender: Sender) -> None:
    for hour, version, host in ((0, "1", "a"), (1, "2", "a"), (9, "3", "b")):
        one = series("main 1", host=host, service_version=version)
        sender.send(drain(one, host=host, start_ns=MIDNIGHT + hour * HOUR_NS), hour)
    work(database)
    prune(database, Ages(raw=1, minute=2, hour=9), hour=9.5)
    assert (rows(database, deploy), rows(database, running)) == (3, 2)
    prune(database, Ages(raw=1, minute=2, hour=9), hour=10.5)
    assert (rows(database, deploy), rows(database, running)) == (2, 2)
    prune(database, Ages(raw=1, minute=2, hour=9), hour=11.5)
    assert (rows(database, deploy), rows(database, running)) == (1, 1)
    prune(database, YEARS, hour=99)
    assert rows(database, deploy) == 1
