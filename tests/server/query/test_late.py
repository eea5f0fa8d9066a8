"""Sums that are kept are not used while something below them is newer."""

from contextlib import AbstractContextManager
from itertools import count

import pytest
import sqlalchemy as sa

from profiler import selector
from profiler.errors import UsageError
from server.config import TENANT
from server.ingest.ingester import Ingester
from server.query import history, selection
from server.query.history import Wanted
from server.query.timeline import timeline
from server.store import compaction, renewal, stale
from server.store import minutes as store_minutes
from server.store.blob import DamagedError
from server.store.database import Database
from server.store.function_tree import FunctionTrees
from server.store.hours import HOUR_NS, TimeRange
from server.store.plan import Level
from server.store.schema import function_history, minutes
from server.store.symbols import SymbolReader
from tests.server.drains import MIDNIGHT, SECOND, TEN_SECONDS, Sender, drain, series
from tests.server.reading import DAY, total

MINUTE = 60 * SECOND


def compact(database: Database) -> None:
    with database.read() as transaction:
        pending = compaction.pending(transaction)
    for one in pending:
        compaction.compact(database, one)


def renew(database: Database) -> None:
    for level in (Level.ALL_HOUR, Level.ALL_DAY):
        with database.read() as transaction:
            marks = stale.marks(transaction, level)
        for mark in marks:
            assert renewal.renew(database, mark)


def answers(
    database: Database, query: str = "cpu", within: TimeRange = DAY, function: str = "f"
) -> tuple[int, int, int]:
    """Samples of the timeline by minute, of the history, and of a function in it."""
    with database.read() as transaction:
        found = selection.select(transaction, TENANT, selector.parse(query), within)
        shown = timeline(transaction, found, MINUTE)
        past = history.read(transaction, FunctionTrees(SymbolReader()), found, Wanted(function))
    assert (past.everything[0] == past.everything[1]).all()
    function_samples = sum(int(costs[1].sum()) for costs in past.functions.values())
    return int(shown.samples.sum()), int(past.everything[1].sum()), function_samples


@pytest.fixture
def sender(database: Database) -> Sender:
    return Sender(Ingester(database, TENANT))


def test_what_comes_late_counts_at_once_and_ever_after(database: Database, sender: Sender) -> None:
    sender.send(drain(series("main;f 2", "g 1")), 0)
    assert answers(database) == (3, 3, 2)
    compact(database)
    assert answers(database) == (3, 3, 2)
    renew(database)
    assert answers(database) == (3, 3, 2)
    sender.send(drain(series("f 4"), start_ns=MIDNIGHT + TEN_SECONDS), 1)
    assert answers(database) == (7, 7, 6)
    compact(database)
    assert answers(database) == (7, 7, 6)
    renew(database)
    assert answers(database) == (7, 7, 6)


@pytest.mark.parametrize("renewed", [False, True], ids=["compacted", "renewed"])
@pytest.mark.parametrize(
    ("level", "before"),
    [*((Level.ALL_HOUR, n) for n in range(3)), *((Level.ALL_DAY, n) for n in range(4))],
)
def test_a_renewal_that_is_overtaken_between_two_transactions_leaves_nothing_old(
    database: Database,
    sender: Sender,
    monkeypatch: pytest.MonkeyPatch,
    level: Level,
    before: int,
    renewed: bool,
) -> None:
    """Before one of its transactions that write, another server compacts what came late, and
    perhaps sums it up."""
    sender.send(drain(series("main;f 2", "g 1")), 0)
    compact(database)
    with database.read() as transaction:
        (mark,) = stale.marks(transaction, level)
    write, done = database.write, count()

    def overtaken() -> AbstractContextManager[sa.Connection]:
        if next(done) == before:
            monkeypatch.setattr(database, "write", write)
            sender.send(drain(series("f 4"), start_ns=MIDNIGHT + TEN_SECONDS), 1)
            compact(database)
            if renewed:
                renew(database)
        return write()

    monkeypatch.setattr(database, "write", overtaken)
    assert not renewal.renew(database, mark)
    assert (total(database), *answers(database)) == (7, 7, 7, 6)
    renew(database)
    assert (total(database), *answers(database)) == (7, 7, 7, 6)


def test_sums_that_are_kept_are_what_is_read(database: Database, sender: Sender) -> None:
    """Else nothing here would be tested."""
    sender.send(drain(series("main;f 2")), 0)
    compact(database)
    renew(database)
    with database.write() as transaction:
        transaction.execute(function_history.delete())
    assert answers(database) == (2, 0, 0)
    with database.write() as transaction:
        transaction.execute(minutes.update().values(sums=b""))
    with pytest.raises(DamagedError, match="blob"):
        answers(database)


def test_hours_without_sums_by_minute_are_read_profile_by_profile(
    database: Database, sender: Sender
) -> None:
    sender.send(drain(series("main;f 2")), 0)
    compact(database)
    renew(database)
    with database.write() as transaction:
        transaction.execute(minutes.delete())
    assert answers(database) == (2, 2, 2)


def test_hours_of_too_many_series_are_read_profile_by_profile(
    database: Database, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_minutes, "MOST_SERIES", 1)
    for sequence, (zone, rows) in enumerate((("north", 1), ("south", 0))):
        sender.send(drain(series("f 2", zone=zone)), sequence)
        compact(database)
        renew(database)
        with database.read() as transaction:
            assert len(transaction.execute(sa.select(minutes.c.hour)).all()) == rows
    assert answers(database) == (4, 4, 4)


def test_a_range_cuts_hours_and_days_to_the_profile(database: Database, sender: Sender) -> None:
    for number in range(4):
        start_ns = MIDNIGHT + number * (HOUR_NS - TEN_SECONDS)
        sender.send(drain(series(f"f {10**number}"), start_ns=start_ns), number)
    compact(database)
    renew(database)
    later = TimeRange(MIDNIGHT + 1, MIDNIGHT + 3 * HOUR_NS)
    assert answers(database, within=later) == (1110, 1110, 1110)
    earlier = TimeRange(MIDNIGHT, MIDNIGHT + HOUR_NS - TEN_SECONDS)
    assert answers(database, within=earlier) == (1, 1, 1)


def test_some_series_of_a_scope_and_functions_of_one_name(
    database: Database, sender: Sender
) -> None:
    """A stack that holds both counts in each."""
    sender.send(drain(series("f;f_[k];f 2", zone="north"), series("f 5", zone="south")), 0)
    compact(database)
    renew(database)
    assert answers(database) == (7, 7, 9)
    assert answers(database, 'cpu{zone="north"}') == (2, 2, 4)
    assert answers(database, function="g") == (7, 7, 0)


def test_functions_times_hours_are_bounded(
    database: Database, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_CELLS", 24)
    sender.send(drain(series("f 1")), 0)
    assert answers(database) == (1, 1, 1)
    sender.send(drain(series("f_[k] 1"), start_ns=MIDNIGHT + TEN_SECONDS), 1)
    with pytest.raises(UsageError, match="choose a file or binary"):
        answers(database)
