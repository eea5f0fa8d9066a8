"""What a server asks for reaches the collector, beside the batches and while there is a stream."""

from collections.abc import Iterator
from pathlib import Path
from queue import Empty, SimpleQueue

import pytest

from collector.delivery import grpc as delivery
from collector.delivery import requests
from collector.delivery.grpc import GrpcExporter, plain_channel
from collector.delivery.spool import Spool
from profiler.v1 import ingest_pb2 as pb
from tests.collector.delivery.drains import drain
from tests.collector.delivery.server import Server
from tests.processes import eventually

ASKED = [pb.Request(session=f"{number:016x}", event="cpu") for number in range(3)]


@pytest.fixture
def exporter(server: Server, tmp_path: Path) -> Iterator[GrpcExporter]:
    spool = Spool(tmp_path / "spool")
    opened = GrpcExporter(spool, plain_channel(server.address), retry_seconds=(0.05, 0.1))
    yield opened
    opened.close()


def test_requests_come_one_after_the_other(server: Server, exporter: GrpcExporter) -> None:
    heard = SimpleQueue[pb.Request]()
    exporter.listen("a", heard.put)
    exporter.export(drain(1))
    for request in ASKED:
        server.requests.put(request)
    assert [heard.get(timeout=30) for _ in ASKED] == ASKED


def test_who_listens_late_hears_on_the_stream_that_there_is(
    server: Server, exporter: GrpcExporter
) -> None:
    heard = SimpleQueue[pb.Request]()
    exporter.export(drain(1))
    eventually(server.has(1), "a batch")
    exporter.listen("a", heard.put)
    server.requests.put(ASKED[0])
    assert heard.get(timeout=30) == ASKED[0]


def test_who_asks_is_heard_after_a_stream_that_was_full_too(
    server: Server, exporter: GrpcExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the next drain there is nothing to send, so there was no stream for 10 s."""
    monkeypatch.setattr(delivery, "STREAM_NODES", 1)
    heard = SimpleQueue[pb.Request]()
    exporter.listen("a", heard.put)
    exporter.export(drain(1))
    eventually(lambda: True if not exporter.spool.batches else None, "the acknowledgement")
    eventually(server.listens(2), "the call of the next stream")
    server.requests.put(ASKED[0])
    assert heard.get(timeout=30) == ASKED[0]


def test_a_server_that_comes_back_is_listened_to(server: Server, exporter: GrpcExporter) -> None:
    heard = SimpleQueue[pb.Request]()
    exporter.listen("a", heard.put)
    exporter.export(drain(1))
    eventually(server.has(1), "a batch")
    server.stop()
    exporter.export(drain(1))
    server.start()
    eventually(server.has(2), "a batch of the next stream")
    eventually(server.listens(2), "the call beside it")
    server.requests.put(ASKED[0])
    assert heard.get(timeout=30) == ASKED[0]


def test_a_call_that_nobody_answers_is_made_again(
    server: Server, exporter: GrpcExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "WAIT_SECONDS", 0.1)
    heard = SimpleQueue[pb.Request]()
    exporter.listen("a", heard.put)
    exporter.export(drain(1))
    eventually(lambda: True if server.listened > 2 else None, "the third call")
    monkeypatch.setattr(requests, "WAIT_SECONDS", 30.0)
    eventually(server.listens(server.listened + 1), "one that waits for longer")
    server.requests.put(ASKED[0])
    assert heard.get(timeout=30) == ASKED[0]


def test_a_request_that_fails_is_not_the_last(server: Server, exporter: GrpcExporter) -> None:
    heard = SimpleQueue[pb.Request]()

    def ask(request: pb.Request) -> None:
        heard.put(request)
        raise ValueError(request.session)

    exporter.listen("a", ask)
    exporter.export(drain(1))
    for request in ASKED:
        server.requests.put(request)
    assert [heard.get(timeout=30) for _ in ASKED] == ASKED


def test_a_server_that_answers_everything_at_once_is_not_called_without_end(
    server: Server, exporter: GrpcExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "PAUSE_SECONDS", 60.0)
    heard = SimpleQueue[pb.Request]()
    exporter.listen("a", heard.put)
    exporter.export(drain(1))
    for request in ASKED:
        server.requests.put(request)
    assert heard.get(timeout=30) == ASKED[0]
    with pytest.raises(Empty):
        heard.get(timeout=0.5)
    assert server.listened == 1
