"""Delivers drains that are at hand, with nobody to wait for: a file is its own spool.

The collector's id is that of the content, so that what is sent again is stored once.
"""

from collections import deque
from collections.abc import Iterable, Iterator

import grpc

from collector.delivery.grpc import STREAM_NODES
from profiler.errors import UnavailableError
from profiler.model import Drain
from profiler.v1 import ingest_pb2 as pb
from profiler.v1 import ingest_pb2_grpc
from profiler.wire import StreamEncoder


def deliver(channel: grpc.Channel, collector_id: bytes, drains: Iterable[Drain]) -> Iterator[int]:
    """Sends all and yields the number of each that is acknowledged, from 1 on. Raises
    UnavailableError where the server refuses one or goes away."""
    waiting = deque(enumerate(drains, 1))
    service = ingest_pb2_grpc.IngestServiceStub(channel)
    sent = acknowledged = 0

    def batches() -> Iterator[pb.Batch]:
        nonlocal sent
        encoder = StreamEncoder()
        while waiting and encoder.nodes < STREAM_NODES:
            sent, drain = waiting.popleft()
            yield encoder.encode(drain, collector_id, sent)

    try:
        while waiting:
            for ack in service.Ingest(batches()):
                acknowledged = ack.sequence
                yield acknowledged
            if acknowledged < sent:
                raise UnavailableError(f"the server took {acknowledged} of {sent} batches")
    except grpc.RpcError as error:
        raise UnavailableError(f"the server refuses: {error.details()}") from None
