"""Streams over the network: what is acknowledged, what is refused, and whom a refusal hurts."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from profiler.errors import UnavailableError
from server.config import TENANT
from server.ingest import service
from server.ingest.ingester import Ingester
from server.ingest.listener import IngestListener
from server.ingest.service import IngestService
from server.ingest.stream import Stream
from server.metrics import Metrics
from server.store import database as store
from server.store import migrations
from server.store.database import Database
from tests.processes import eventually
from tests.server.client import batches, refusal, send_all, stream
from tests.server.drains import drain, series
from tests.server.reading import read, total


@contextmanager
def listening(database: Database, **options: Any) -> Iterator[str]:
    """The address of a listener that stores into `database`."""
    answering = IngestService(Ingester(database, TENANT, **options), Metrics())
    with IngestListener("127.0.0.1:0", answering) as listener:
        yield f"127.0.0.1:{listener.port}"


@pytest.fixture
def address(database: Database) -> Iterator[str]:
    with listening(database) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Database, str]]:
    """For tests that cannot hurt one another."""
    with Database(f"sqlite:///{tmp_path_factory.mktemp('shared')}/profiler.db") as database:
        migrations.migrate(database)
        with listening(database) as opened:
            yield database, opened


def test_every_batch_is_acknowledged_by_its_number(database: Database, address: str) -> None:
    sent = batches([drain(series("main;f 3")), drain(series("main;g 1"))], first=7)
    with stream(address) as opened:
        assert [opened.send(batch) for batch in sent] == [7, 8]
    assert total(database) == 4


def test_a_batch_sent_again_is_stored_once_and_acknowledged_again(
    database: Database, address: str
) -> None:
    first, second = batches([drain(series("main;f 3"), losses={"ring_full": 2})] * 2, first=1)
    second.sequence = 1  # the same batch once more on its stream,
    for messages in ([first, second], [first]):  # and on another one
        with stream(address) as opened:
            assert {opened.send(message) for message in messages} == {1}
    accounts = read(database).accounts
    assert (accounts.taken, accounts.stored, accounts.losses) == (5, 3, {"ring_full": 2})
    assert total(database) == 3


def test_a_name_that_another_batch_has_used_is_refused(database: Database, address: str) -> None:
    first = batches([drain(series("main 3"))], first=1)
    again = batches([drain(series("main 3"), host="b")], first=1)
    with stream(address) as opened:
        opened.send(first[0])
    status, message = refusal(address, again[0])
    assert status is grpc.StatusCode.INVALID_ARGUMENT
    assert message.startswith("sequence: a batch of this collector and number is stored")
    assert total(database) == 3


@pytest.mark.parametrize(
    ("taken", "losses"),
    [(5, {"unaccounted": 2}), (3, {}), (1, {"unaccounted": -2})],
    ids=["missing", "closed", "too many"],
)
def test_accounts_that_do_not_close_are_stored_with_the_difference(
    database: Database, address: str, taken: int, losses: dict[str, int]
) -> None:
    send_all(address, [drain(series("main 3"), taken=taken)])
    accounts = read(database).accounts
    assert (accounts.taken, accounts.stored, accounts.losses) == (taken, 3, losses)


def test_a_bad_batch_ends_its_stream_and_no_other(database: Database, address: str) -> None:
    good = batches([drain(series("main 1")), drain(series("main 1"))], collector=1)
    bad = batches([drain(series("main 1"))], collector=2)[0]
    bad.profiles[0].stacks = b"\xff\xff\xff\x7f"
    with stream(address) as opened:
        opened.send(good[0])
        status, message = refusal(address, bad)
        opened.send(good[1])
    assert status is grpc.StatusCode.INVALID_ARGUMENT
    assert "profiles.stacks" in message
    assert total(database) == 2


def test_a_batch_that_is_refused_leaves_nothing_behind(database: Database, address: str) -> None:
    good, bad = batches([drain(series("main 1")), drain(series("main;f 1"), host="b")])
    bad.accounts.unit = "count"
    status, message = refusal(address, good, bad)
    assert status is grpc.StatusCode.INVALID_ARGUMENT
    assert "of the type 'cpu' are counted in 'nanoseconds' here" in message
    assert (read(database).accounts.taken, total(database)) == (1, 1)


def test_a_stack_without_end_is_refused(shared: tuple[Database, str]) -> None:
    deep = batches([drain(series(";".join(["f"] * 5000) + " 1"))])[0]
    status, message = refusal(shared[1], deep)
    assert status is grpc.StatusCode.INVALID_ARGUMENT
    assert "more than 4096 frames" in message


@given(st.binary(max_size=200))
@settings(max_examples=40)
def test_whatever_bytes_arrive_they_are_refused(
    shared: tuple[Database, str], message: bytes
) -> None:
    assert refusal(shared[1], message)[0] is grpc.StatusCode.INVALID_ARGUMENT


@given(st.data())
@settings(max_examples=60)
def test_whatever_columns_arrive_they_are_stored_or_refused(
    shared: tuple[Database, str], data: st.DataObject
) -> None:
    """A batch with some of its columns exchanged for others; its sums must not change."""
    batch = batches([drain(series("main;f 3", "main;g 2"))], collector=60)[0]
    batch.sequence = data.draw(st.integers(0, 2**62))
    columns = [
        (part, field.name)
        for part in (batch.additions, batch.profiles[0])
        for field in part.DESCRIPTOR.fields
        if isinstance(getattr(part, field.name), bytes)
    ]
    for part, name in data.draw(st.lists(st.sampled_from(columns), min_size=1, max_size=3)):
        setattr(part, name, data.draw(st.binary(max_size=32)))
    with stream(shared[1]) as opened:
        try:
            opened.send(batch)
        except grpc.RpcError as error:
            assert error.code() is grpc.StatusCode.INVALID_ARGUMENT, error.details()
    reading = read(shared[0])
    assert reading.profile.total_samples == reading.accounts.stored


def test_a_message_larger_than_it_may_be_is_refused(shared: tuple[Database, str]) -> None:
    status, message = refusal(shared[1], bytes(33 << 20))
    assert status is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max" in message


def test_a_stream_that_holds_too_much_is_told_to_begin_anew(
    database: Database, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_HELD_BYTES", 100)
    status, message = refusal(address, *batches([drain(series("main 1"))] * 2))
    assert (status, total(database)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, 1)
    assert "begin a new stream" in message


def test_a_message_is_put_off_while_too_many_wait(database: Database) -> None:
    answering = IngestService(Ingester(database, TENANT), Metrics())
    answering._waiting_bytes = service.MAX_WAITING_BYTES
    with pytest.raises(UnavailableError, match="wait to be stored: try again later"):
        answering._check_bounds(Stream(), 1)
    answering.close()


def test_a_message_whose_sender_hung_up_goes_on_waiting(tmp_path: Path) -> None:
    """Else senders that come and go could pile up messages without bound."""
    with Database(f"sqlite:///{tmp_path}/profiler.db") as database:
        migrations.migrate(database)
        answering = IngestService(Ingester(database, TENANT), Metrics())
        with IngestListener("127.0.0.1:0", answering) as listener:
            with database.write():  # so that nothing else is stored
                with stream(f"127.0.0.1:{listener.port}") as opened:
                    opened.post(batches([drain(series("main 1"))])[0])
                    eventually(lambda: answering._waiting_bytes or None, "the message arrives")
                eventually(lambda: None if answering._held_bytes else True, "the stream ends")
                assert answering._waiting_bytes
            eventually(lambda: None if answering._waiting_bytes else True, "it is stored")
        assert total(database) == 1


def test_more_nodes_than_a_scope_may_get_at_once_are_refused(database: Database) -> None:
    with listening(database, epoch_nodes=2) as address:
        status, message = refusal(address, *batches([drain(series("main;f;g 1"))]))
    assert status is grpc.StatusCode.INVALID_ARGUMENT
    assert "3 new nodes in the service 'checkout', a batch may have 2" in message


def test_a_full_disk_is_said_and_loses_nothing_acknowledged(tmp_path: Path) -> None:
    large = [f"main;function_{number} 1" for number in range(5000)]
    with Database(f"sqlite:///{tmp_path}/profiler.db") as database:
        migrations.migrate(database)
        with listening(database) as address:
            send_all(address, [drain(series("main 1"))])
            with full(database):
                status, message = refusal(address, *batches([drain(series(*large))], first=1))
            assert (status, total(database)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, 1)
            assert "is full" in message
            send_all(address, [drain(series(*large))], collector=2)
            assert total(database) == 5001


@contextmanager
def full(database: Database) -> Iterator[None]:
    """SQLite may not take another page, and says so as it does when the disk is full."""

    def limit(connection: sa.Connection) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count=1")  # means: as many as there are

    event.listen(database._engine, "begin", limit)
    yield
    event.remove(database._engine, "begin", limit)
    with database.read() as transaction:
        transaction.exec_driver_sql("PRAGMA max_page_count=1000000")


def test_a_locked_database_is_said_to_be_away_for_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_SQLITE_PRAGMAS", ("PRAGMA busy_timeout=50",))
    monkeypatch.setattr(store, "LOCK_TIMEOUT_MS", 50)
    with Database(f"sqlite:///{tmp_path}/profiler.db") as database:
        migrations.migrate(database)
        with listening(database) as address:
            with database.write():
                status, message = refusal(address, *batches([drain(series("main 1"))]))
            assert status is grpc.StatusCode.UNAVAILABLE
            assert "database is locked" in message
            send_all(address, [drain(series("main 1"))])
        assert total(database) == 1


@pytest.mark.postgres
def test_a_database_that_went_away_is_used_again_when_it_is_back(
    request: pytest.FixtureRequest,
) -> None:
    with Database(request.getfixturevalue("postgres").create_database()) as database:
        migrations.migrate(database)
        with listening(database) as address:
            send_all(address, [drain(series("main 1"))])
            with database.write() as transaction:  # as a restart of the database would
                transaction.execute(
                    sa.text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                )
            send_all(address, [drain(series("main 1"))], collector=2)
        assert total(database) == 2
