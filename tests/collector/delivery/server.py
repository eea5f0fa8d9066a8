"""A gRPC server that does to collectors what the tests tell it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

import grpc

from profiler.model import Drain
from profiler.v1 import ingest_pb2 as pb
from profiler.v1 import ingest_pb2_grpc
from profiler.wire import DrainDecoder
from tests.processes import free_address

Answer = Callable[[pb.Batch, int], grpc.StatusCode | None]
"""What to do with a batch, the nth of its stream: None acknowledges, a code ends the stream."""


class Server:
    """A server that stores each (collector id, sequence) once, and answers as it is told."""

    def __init__(self) -> None:
        self.stored: dict[tuple[bytes, int], Drain] = {}
        self.received: list[list[pb.Batch]] = []
        self.answer: Answer = lambda batch, n: None
        self.lose_acks = False
        self.listened = self._listening = 0
        self.requests = SimpleQueue[pb.Request]()
        self.address = free_address()
        self._grpc: Any = None

    def Ingest(self, batches: Iterator[pb.Batch], context: Any) -> Iterator[pb.Ack]:
        stream: list[pb.Batch] = []
        self.received.append(stream)
        decoder = DrainDecoder()
        for batch in batches:
            stream.append(batch)
            code = self.answer(batch, len(stream))
            if code is not None:
                context.abort(code, f"batch {batch.sequence}:\n  is told so")
            arrived = decoder.decode(batch)
            self.stored.setdefault((batch.collector_id, batch.sequence), arrived)
            if self.lose_acks:
                context.abort(grpc.StatusCode.UNAVAILABLE, "the acknowledgement is lost")
            yield pb.Ack(sequence=batch.sequence)

    def Listen(self, listener: pb.Listener, context: Any) -> pb.Request:
        """The next of `requests`, to whoever waits."""
        self.listened += 1
        self._listening += 1
        try:
            while context.is_active():
                with suppress(Empty):
                    return self.requests.get(timeout=0.05)
            return pb.Request()
        finally:
            self._listening -= 1

    def start(self) -> None:
        self._grpc = grpc.server(
            ThreadPoolExecutor(8), options=[("grpc.max_receive_message_length", 64 << 20)]
        )
        ingest_pb2_grpc.add_IngestServiceServicer_to_server(self, self._grpc)
        assert self._grpc.add_insecure_port(self.address)
        self._grpc.start()

    def stop(self) -> None:
        self._grpc.stop(0).wait()

    def listens(self, calls: int) -> Callable[[], bool | None]:
        """Whether there were so many calls, and only the last waits: one that its caller has given
        up would take the next request along."""
        return lambda: True if self.listened >= calls and self._listening == 1 else None

    @property
    def drains(self) -> list[Drain]:
        return list(self.stored.values())

    def has(self, count: int) -> Callable[[], bool | None]:
        return lambda: True if len(self.stored) >= count else None
