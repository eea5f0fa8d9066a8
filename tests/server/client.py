"""The two sides of a server that the outside sees: a collector's stream, and HTTP."""

import gzip
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from email.message import Message
from queue import SimpleQueue
from typing import Any

import grpc

from profiler.model import Drain
from profiler.v1 import ingest_pb2 as pb
from profiler.wire import StreamEncoder
from server.config import Config
from tests.server.drains import collector_id

_METHOD = "/profiler.v1.IngestService/Ingest"
_SECONDS = 30


def config(url: str) -> Config:
    """Of a server whose samples are of one day, whatever today is: nothing of them is old."""
    return Config(http="127.0.0.1:0", grpc="127.0.0.1:0", database=url, maintain=False)


class Stream:
    """One stream to the server; sends raw messages too."""

    def __init__(self, channel: grpc.Channel, seconds: float) -> None:
        self._queue = SimpleQueue[bytes | None]()
        ingest: grpc.StreamStreamMultiCallable[bytes, pb.Ack] = channel.stream_stream(
            _METHOD, response_deserializer=pb.Ack.FromString
        )
        self._answers = ingest(iter(self._queue.get, None), timeout=seconds)

    def post(self, message: pb.Batch | bytes) -> None:
        """Sends without waiting for the answer."""
        self._queue.put(message if isinstance(message, bytes) else message.SerializeToString())

    def send(self, message: pb.Batch | bytes) -> int:
        """The sequence number of the answer; raises grpc.RpcError."""
        self.post(message)
        return self.answer()

    def answer(self) -> int:
        """The sequence number of the next answer; raises grpc.RpcError."""
        sequence: int = next(self._answers).sequence
        return sequence

    def close(self) -> None:
        self._queue.put(None)


@contextmanager
def stream(address: str, seconds: float = _SECONDS) -> Iterator[Stream]:
    """A stream that must end within so many seconds."""
    with grpc.insecure_channel(address) as channel:
        opened = Stream(channel, seconds)
        try:
            yield opened
        finally:
            opened.close()


def batches(drains: Iterable[Drain], collector: int = 1, first: int = 0) -> list[pb.Batch]:
    """Messages of one stream, numbered from `first`."""
    encoder = StreamEncoder()
    return [
        encoder.encode(drain, collector_id(collector), sequence)
        for sequence, drain in enumerate(drains, first)
    ]


def send_all(address: str, drains: Iterable[Drain], collector: int = 1) -> None:
    with stream(address) as opened:
        for batch in batches(drains, collector):
            opened.send(batch)


def refusal(address: str, *messages: pb.Batch | bytes) -> tuple[grpc.StatusCode, str]:
    """The status that ends a stream of these messages, and what it says."""
    with stream(address) as opened:
        try:
            for message in messages:
                opened.send(message)
        except grpc.RpcError as error:
            return error.code(), error.details() or ""
    raise AssertionError("the server took them all")


class Answer:
    """What the server said."""

    def __init__(self, status: int, headers: Message, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = gzip.decompress(body) if headers["Content-Encoding"] == "gzip" else body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def get(
    address: str, path: str, headers: dict[str, str] | None = None, /, **query: object
) -> Answer:
    """`from` is written `from_`, as Python wants it."""
    parameters = urllib.parse.urlencode({name.rstrip("_"): text for name, text in query.items()})
    return _answer(
        urllib.request.Request(f"http://{address}{path}?{parameters}", headers=headers or {})
    )


def post(address: str, path: str, body: object, kind: str = "application/json") -> Answer:
    """`body` as JSON, unless it is bytes."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": kind}
    return _answer(urllib.request.Request(f"http://{address}{path}", data, headers))


def delete(address: str, path: str) -> Answer:
    return _answer(urllib.request.Request(f"http://{address}{path}", method="DELETE"))


def _answer(request: urllib.request.Request) -> Answer:
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as response:
            return Answer(response.status, response.headers, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())
