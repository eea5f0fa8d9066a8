"""What moves from hot rows to chunks, and what that puts out of date."""

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from server.config import TENANT
from server.ingest.ingester import Ingester
from server.store import archive, compaction, migrations, renewal, stale
from server.store.compaction import SETTLED_NS, Pending
from server.store.database import Database, DatabaseFullError
from server.store.hours import HOUR_NS, TimeRange
from server.store.plan import Level
from server.store.schema import chunk, hot, rollup
from server.store.stale import Mark
from tests import builders
from tests.builders import stacks
from tests.server.drains import MIDNIGHT, TEN_SECONDS, Sender, drain, series
from tests.server.reading import DAY, read, total

HOUR = MIDNIGHT // HOUR_NS


@pytest.fixture
def sender(database: Database) -> Sender:
    return Sender(Ingester(database, TENANT))


def rows(database: Database, table: sa.Table) -> int:
    with database.read() as transaction:
        return transaction.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def pending(database: Database) -> list[Pending]:
    with database.read() as transaction:
        return compaction.pending(transaction)


def compact(database: Database) -> int:
    return sum(compaction.compact(database, one) for one in pending(database))


def marks(database: Database, level: Level) -> list[Mark]:
    with database.read() as transaction:
        return stale.marks(transaction, level)


def renew(database: Database) -> None:
    for level in (Level.ALL_HOUR, Level.ALL_DAY):
        for mark in marks(database, level):
            assert renewal.renew(database, mark)


def test_hot_rows_become_one_chunk_a_series_and_hour(database: Database, sender: Sender) -> None:
    for number in range(3):
        sender.send(drain(series("main 1"), start_ns=MIDNIGHT + number * TEN_SECONDS), number)
    sender.send(drain(series("main 5"), start_ns=MIDNIGHT + HOUR_NS), 3)
    assert compact(database) == 4
    assert (rows(database, hot), rows(database, chunk)) == (0, 2)
    assert total(database) == 8
    assert read(database).coverage.profiles == 4


def test_late_samples_are_added_to_their_chunk_and_stay_in_time(
    database: Database, sender: Sender
) -> None:
    sender.send(drain(series("main;late 1"), start_ns=MIDNIGHT + 2 * TEN_SECONDS), 0)
    compact(database)
    sender.send(drain(series("main;early 2"), start_ns=MIDNIGHT), 1)
    compact(database)
    assert rows(database, chunk) == 1
    cut = TimeRange(MIDNIGHT, MIDNIGHT + TEN_SECONDS)
    assert stacks(read(database, within=cut).profile) == {("main", "early"): 2}
    assert total(database) == 3


def test_a_batch_that_is_sent_again_after_its_compaction_is_a_duplicate(
    database: Database, sender: Sender
) -> None:
    sender.send(drain(series("main 1")), 0)
    compact(database)
    assert sender.send(drain(series("main 1")), 0).duplicate
    assert total(database) == 1


def test_a_second_server_finds_nothing_left_and_marks_nothing(
    database: Database, sender: Sender
) -> None:
    sender.send(drain(series("main 1")), 0)
    (seen,) = pending(database)
    assert compaction.compact(database, seen) == 1
    renew(database)
    assert compaction.compact(database, seen) == 0
    assert marks(database, Level.ALL_HOUR) == marks(database, Level.ALL_DAY) == []


def test_a_full_chunk_is_followed_by_another_part(
    database: Database, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "PART_ENTRIES", 3)
    monkeypatch.setattr(compaction, "PART_ENTRIES", 2)
    for number in range(6):
        sender.send(drain(series("f 1", "g 1"), start_ns=MIDNIGHT + number * TEN_SECONDS), number)
    compact(database)
    assert rows(database, chunk) == 6
    assert read(database).profile.total_samples == 12
    cut = TimeRange(MIDNIGHT, MIDNIGHT + 3 * TEN_SECONDS)
    assert read(database, within=cut).profile.total_samples == 6


def test_sums_that_leave_64_bits_stay_in_parts_and_are_not_rolled_up(
    database: Database, sender: Sender
) -> None:
    huge = 2**52
    profile = builders.profile(f"main {huge}", period=1, labels=(("host_name", "a"),))
    sender.send_together(drain(profile, start_ns=MIDNIGHT + number) for number in range(2100))
    assert compact(database) == 2100
    (mark,) = marks(database, Level.ALL_DAY)
    assert not renewal.renew(database, mark)
    within = TimeRange(MIDNIGHT, MIDNIGHT + 3)
    assert read(database, within=within).profile.total_samples == 3 * huge


def test_what_is_compacted_marks_its_hour_and_its_day(database: Database, sender: Sender) -> None:
    sender.send(drain(series("main 1"), start_ns=MIDNIGHT + 5 * HOUR_NS), 0)
    compact(database)
    assert [mark.hour for mark in marks(database, Level.ALL_HOUR)] == [HOUR + 5]
    assert [mark.hour for mark in marks(database, Level.ALL_DAY)] == [HOUR]
    renew(database)
    assert rows(database, rollup) == 4  # the hour and the day, of the series and of all
    sender.send(drain(series("main 2"), start_ns=MIDNIGHT + 5 * HOUR_NS), 1)
    assert total(database) == 3
    compact(database)
    assert total(database) == 3
    renew(database)
    assert total(database) == 3


def test_a_renewal_that_was_overtaken_writes_nothing(database: Database, sender: Sender) -> None:
    sender.send(drain(series("main 1")), 0)
    compact(database)
    (seen,) = marks(database, Level.ALL_DAY)
    sender.send(drain(series("main 2")), 1)
    compact(database)
    assert not renewal.renew(database, seen)
    assert total(database) == 3
    renew(database)
    assert total(database) == 3


def test_nothing_below_changes_while_sums_are_written(database: Database, sender: Sender) -> None:
    sender.send(drain(series("main 1")), 0)
    compact(database)
    (mark,) = marks(database, Level.ALL_HOUR)
    sender.send(drain(series("main 2")), 1)
    compacting = threading.Thread(target=compact, args=(database,))
    with database.write() as transaction:
        assert stale.holds(transaction, mark)
        compacting.start()
        compacting.join(0.5)
        assert compacting.is_alive()
    compacting.join(30)
    assert rows(database, hot) == 0


def test_a_whole_day_is_read_from_one_rollup(
    database: Database, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(24):
        drained = [series("main 1", host=host) for host in ("a", "b")]
        sender.send(drain(*drained, start_ns=MIDNIGHT + number * HOUR_NS), number)
    compact(database)
    renew(database)
    with database.write() as transaction:  # nobody looks at them
        transaction.execute(chunk.delete())
        transaction.execute(rollup.delete().where(rollup.c.level == Level.SERIES_HOUR))
    assert total(database) == 48
    assert total(database, 'cpu{host_name="a"}') == 24


def test_few_rows_of_the_present_hour_wait(database: Database, sender: Sender) -> None:
    for number in range(compaction.WORTH_ROWS):
        profiles = [series("main 1", host="a")]
        profiles += [series("main 1", host="b")] if number else []
        sender.send(drain(*profiles, start_ns=MIDNIGHT + number), number)

    def due(now_ns: int) -> Iterator[int]:
        for one in compaction.due(pending(database), now_ns):
            yield len(one.rows)

    assert list(due(MIDNIGHT + HOUR_NS)) == [1]
    assert list(due(MIDNIGHT + HOUR_NS + SETTLED_NS)) == [2]
    day = DAY.to_ns
    compact(database)
    hours, days = (marks(database, level) for level in (Level.ALL_HOUR, Level.ALL_DAY))
    assert renewal.due(hours, MIDNIGHT + HOUR_NS) == []
    assert renewal.due(hours, MIDNIGHT + HOUR_NS + SETTLED_NS) == hours
    assert renewal.due(days, day) == []
    assert renewal.due(days, day + SETTLED_NS) == days


def test_work_is_done_in_pieces() -> None:
    much = Pending(1, "cpu", 5, {1: 300, 2: 300, 3: 300, 4: 300})
    pieces = [tuple(piece.rows) for piece in compaction.steps([much, Pending(2, "cpu", 5, {9: 1})])]
    assert pieces == [(1, 2), (3, 4), (9,)]


def test_a_full_disk_stops_the_compaction_and_loses_nothing(tmp_path: Path) -> None:
    with Database(f"sqlite:///{tmp_path}/profiler.db", connections=1) as full:
        migrations.migrate(full)
        sender = Sender(Ingester(full, TENANT))
        choose = random.Random(1)
        for number in range(9):
            part = series(*(f"main;f{f} {choose.randrange(1, 10**5)}" for f in range(3000)))
            sender.send(drain(part, start_ns=MIDNIGHT + number * HOUR_NS), number)
        stored = total(full)
        with full.read() as transaction:
            transaction.exec_driver_sql("PRAGMA max_page_count=1")  # means: as many as there are
        with pytest.raises(DatabaseFullError, match="free space"):
            for _ in range(9):
                compact(full)
                renew(full)
        assert total(full) == stored
        with full.read() as transaction:
            transaction.exec_driver_sql("PRAGMA max_page_count=1000000")
        compact(full)
        renew(full)
        assert total(full) == stored
