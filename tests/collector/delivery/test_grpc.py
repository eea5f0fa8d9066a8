"""Delivery to a real gRPC server that acknowledges, refuses, forgets, dies and comes back."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from collector.delivery import grpc as delivery
from collector.delivery.grpc import GrpcExporter, plain_channel
from collector.delivery.spool import WINDOW, Spool
from profiler.errors import UsageError
from profiler.v1 import ingest_pb2 as pb
from profiler.wire import StreamEncoder
from tests.collector.delivery.drains import drain, held, losses, taken
from tests.collector.delivery.server import Server
from tests.processes import PATIENCE_SECONDS, eventually

RETRY_SECONDS = (0.01, 0.05)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a busy machine does not deliver in the usual 5 s would be left in the spool."""
    monkeypatch.setattr(delivery, "CLOSE_SECONDS", PATIENCE_SECONDS)


@contextmanager
def exporting(
    server: Server, directory: Path, limit_bytes: int = 1 << 30
) -> Iterator[GrpcExporter]:
    spool = Spool(directory, limit_bytes)
    exporter = GrpcExporter(
        spool, plain_channel(server.address), f"server {server.address}", RETRY_SECONDS
    )
    try:
        yield exporter
    finally:
        exporter.close()


def left(directory: Path) -> int:
    with Spool(directory) as spool:
        return spool.batches


def test_what_is_exported_arrives_once_and_leaves_the_spool(server: Server, tmp_path: Path) -> None:
    sent = [drain(number) for number in range(30)]
    with exporting(server, tmp_path) as exporter:
        for each in sent:
            exporter.export(each)
    assert exporter.acknowledged == held(sent) == held(server.drains)
    assert taken(server.drains) == taken(sent)
    assert left(tmp_path) == 0


def test_a_stack_travels_once_a_stream(server: Server, tmp_path: Path) -> None:
    with exporting(server, tmp_path) as exporter:
        for number in range(3):
            exporter.export(drain(number))
    assert [len(batch.additions.node_frame) for batch in server.received[0]] == [8, 0, 0]


def test_no_more_than_the_window_is_on_its_way(server: Server, tmp_path: Path) -> None:
    hold = threading.Event()

    def held_back(batch: pb.Batch, n: int) -> None:
        hold.wait(PATIENCE_SECONDS)

    server.answer = held_back
    with exporting(server, tmp_path) as exporter:
        for number in range(WINDOW + 5):
            exporter.export(drain(number))
        time.sleep(0.1)
        with exporter._changed:
            assert exporter.spool.due() == list(range(1, WINDOW + 1))
        hold.set()
    assert len(server.stored) == WINDOW + 5


def test_batches_wait_for_a_server_that_is_away(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.stop()
    caplog.set_level(logging.WARNING)
    with exporting(server, tmp_path) as exporter:
        for number in range(3):
            exporter.export(drain(number))
        eventually(lambda: True if exporter._failures > 3 else None, "a few attempts")
        server.start()
        eventually(server.has(3), "three batches")
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2, "one line when it goes, one when it is back"
    assert said[0].startswith(f"server {server.address} does not take batches (UNAVAILABLE: ")
    assert "\n" not in said[0] and str(tmp_path) in said[0]
    assert said[1] == f"server {server.address} answers again"


def test_what_a_dead_server_did_not_take_is_there_for_the_next_start(
    server: Server, tmp_path: Path
) -> None:
    server.stop()
    started = time.monotonic()
    with exporting(server, tmp_path) as exporter:
        for number in range(3):
            exporter.export(drain(number))
    assert time.monotonic() - started < delivery.CLOSE_SECONDS
    assert exporter.spool.batches == 3
    server.start()
    with exporting(server, tmp_path):
        eventually(server.has(3), "three batches")
    assert taken(server.drains) == 33


def test_a_server_that_dies_and_comes_back_has_every_batch_once(
    server: Server, tmp_path: Path
) -> None:
    sent = [drain(number) for number in range(60)]
    with exporting(server, tmp_path) as exporter:
        for number, each in enumerate(sent):
            exporter.export(each)
            if number % 20 == 10:
                server.stop()
                server.start()
        eventually(server.has(60), "sixty batches")
    assert len(server.stored) == 60
    assert taken(server.drains) == taken(sent)


def test_a_batch_whose_acknowledgement_was_lost_is_sent_again(
    server: Server, tmp_path: Path
) -> None:
    server.lose_acks = True
    with exporting(server, tmp_path) as exporter:
        exporter.export(drain(0))
        eventually(lambda: True if len(server.received) > 2 else None, "a second attempt")
        server.lose_acks = False
    assert [stream[0].sequence for stream in server.received if stream][:2] == [1, 1]
    assert len(server.stored) == 1
    assert exporter.acknowledged == 10
    assert left(tmp_path) == 0


def test_only_the_batch_that_is_refused_is_given_up(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its samples become a loss that the server is told of under the same number."""

    def refuse_the_third(batch: pb.Batch, n: int) -> grpc.StatusCode | None:
        refused = batch.sequence == 3 and len(batch.profiles) > 0
        return grpc.StatusCode.INVALID_ARGUMENT if refused else None

    server.answer = refuse_the_third
    sent = [drain(number) for number in range(12)]
    with exporting(server, tmp_path) as exporter:
        for each in sent:
            exporter.export(each)
    assert taken(server.drains) == taken(sent)
    assert held(server.drains) == held(sent) - 10
    assert losses(server.drains) == {"ring_full": 12, "refused": 10}
    assert "refuses batch 3: batch 3: is told so" in caplog.text
    assert len([record for record in caplog.records if "refuses" in record.message]) == 1
    assert (tmp_path / "refused.pb").stat().st_size > 0
    assert left(tmp_path) == 0


def test_a_batch_of_which_even_the_accounts_are_refused_does_not_block(
    server: Server, tmp_path: Path
) -> None:
    server.answer = lambda batch, n: (
        grpc.StatusCode.INVALID_ARGUMENT if batch.sequence == 1 else None
    )
    with exporting(server, tmp_path) as exporter:
        for number in range(3):
            exporter.export(drain(number))
        eventually(server.has(2), "the others")
    assert exporter.spool.lost == {"refused": 10}
    assert left(tmp_path) == 0


@pytest.mark.parametrize("code", [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL])
def test_any_other_error_is_tried_again(
    code: grpc.StatusCode, server: Server, tmp_path: Path
) -> None:
    server.answer = lambda batch, n: code if n == 3 else None
    with exporting(server, tmp_path) as exporter:
        for number in range(9):
            exporter.export(drain(number))
        eventually(server.has(9), "nine batches")
    assert held(server.drains) == 90
    assert len(server.received) > 3


def test_a_batch_on_which_the_server_fails_again_and_again_does_not_block_the_others(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "ATTEMPTS", 5)
    server.answer = lambda batch, n: (
        grpc.StatusCode.INTERNAL if batch.sequence == 2 and batch.profiles else None
    )
    with exporting(server, tmp_path) as exporter:
        for number in range(6):
            exporter.export(drain(number))
        eventually(server.has(6), "all that can be stored")
    assert losses(server.drains) == {"ring_full": 6, "refused": 10}
    assert len(server.received) >= 5
    assert left(tmp_path) == 0


def test_a_server_that_says_nothing_is_left_for_a_new_stream(
    server: Server,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delivery, "ACK_SECONDS", 0.1)
    stuck = threading.Event()

    def silent_once(batch: pb.Batch, n: int) -> None:
        if len(server.received) == 1:
            stuck.wait(PATIENCE_SECONDS)

    server.answer = silent_once
    with exporting(server, tmp_path) as exporter:
        exporter.export(drain(0))
        eventually(lambda: True if exporter.acknowledged else None, "an acknowledgement")
        stuck.set()
    assert "no acknowledgement for 0.1 s" in caplog.text
    assert len(server.stored) == 1


def test_a_full_numbering_begins_a_new_stream(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "STREAM_NODES", 20)
    with exporting(server, tmp_path) as exporter:
        for number in range(10):
            exporter.export(drain(number, padding=8))
    assert len(server.received) > 3
    assert held(server.drains) == 100


def test_a_damaged_batch_arrives_as_a_loss(server: Server, tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        for number in range(3):
            spool.append(drain(number))
    path = sorted(tmp_path.glob("*.batch"))[1]
    path.write_bytes(path.read_bytes()[:-5])
    with exporting(server, tmp_path):
        eventually(server.has(3), "three batches")
    assert losses(server.drains) == {"ring_full": 3, "spool_damaged": 10}
    assert taken(server.drains) == 33


def test_the_sums_close_at_a_server_that_was_away_for_too_long(
    server: Server, tmp_path: Path
) -> None:
    """The window was on its way and stored, its acknowledgements lost; then the spool ran full."""
    server.lose_acks = True
    sent = [drain(number, 400, padding=200) for number in range(60)]
    with exporting(server, tmp_path, limit_bytes=20_000) as exporter:
        for each in sent[:4]:
            exporter.export(each)
        eventually(server.has(1), "a first batch")
        server.stop()
        server.lose_acks = False
        for each in sent[4:]:
            exporter.export(each)
        server.start()
        eventually(lambda: True if not exporter.spool.batches else None, "an empty spool")
    assert taken(server.drains) == taken(sent)
    assert all(arrived.unaccounted == 0 for arrived in server.drains)
    lost = losses(server.drains)
    assert lost["spool_full"] > 0
    assert held(server.drains) + lost["spool_full"] + 60 == taken(sent)


def test_a_bug_in_encoding_does_not_stop_the_thread_for_good(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = StreamEncoder.encode

    def fails_once(self: StreamEncoder, *arguments: Any) -> pb.Batch:
        monkeypatch.setattr(StreamEncoder, "encode", encode)
        raise ValueError("a bug")

    with exporting(server, tmp_path) as exporter:
        with exporter._changed:
            exporter.spool.append(drain(0))
            monkeypatch.setattr(StreamEncoder, "encode", fails_once)
            exporter._changed.notify_all()
        eventually(server.has(1), "the batch")


@pytest.mark.parametrize("target", ["localhost", "http://a:1", "a:b", ":8441", "a:0", "a:65536"])
def test_a_server_that_is_no_address_is_a_usage_error(target: str) -> None:
    with pytest.raises(UsageError, match="expected HOST:PORT"):
        plain_channel(target)
