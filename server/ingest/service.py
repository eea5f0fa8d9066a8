"""Answers the streams of collectors, and is bounded in every direction.

A stream's next message is read when the last one has been answered, so gRPC's flow control holds
the sender back. The messages of all streams wait for the one thread that writes; it parses them
too, so that what does not parse ends its stream and nothing else. What waits while it commits is
committed next, together.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import grpc
import grpc.aio

from profiler import wire
from profiler.errors import FormatError, ProfilerError, UnavailableError
from profiler.v1 import ingest_pb2 as pb
from profiler.wire import DecodedBatch, StreamFullError
from server.ingest.ingester import Delivery, Ingester, Outcome
from server.ingest.listeners import Listeners
from server.ingest.stream import Stream
from server.ingest.writer import Writer
from server.metrics import Metrics
from server.store.database import DatabaseFullError

MAX_WAITING_BYTES = 256 << 20
"""Messages that wait to be stored: half a minute of work."""

MAX_HELD_BYTES = 1 << 30
"""What all streams have numbered. A collector's stream holds some MiB."""

_SERVICE = pb.DESCRIPTOR.services_by_name["IngestService"]

_STATUSES: tuple[tuple[type[Exception], grpc.StatusCode], ...] = (
    (FormatError, grpc.StatusCode.INVALID_ARGUMENT),
    (StreamFullError, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (DatabaseFullError, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (UnavailableError, grpc.StatusCode.UNAVAILABLE),
)

_log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[bytes, pb.Ack]


class IngestService:
    """Its coroutines run in one event loop and share their counts without a lock."""

    def __init__(
        self, ingester: Ingester, metrics: Metrics, listeners: Listeners | None = None
    ) -> None:
        self._ingester = ingester
        self._listeners = listening = listeners or Listeners()
        self._metrics = metrics
        self._writer = Writer[tuple[Stream, bytes], int](self._store)
        self._waiting_bytes = 0
        self._held_bytes: dict[Stream, int] = {}
        self._reading: set[asyncio.Task[Any]] = set()
        self._stopping = asyncio.Event()
        metrics.watch("profiler_ingest_streams", "Open streams.", lambda: len(self._held_bytes))
        metrics.watch(
            "profiler_ingest_listeners",
            "Collectors that can be asked for a session.",
            lambda: listening.count,
        )

    def handler(self) -> grpc.GenericRpcHandler:
        """For a server; takes messages as bytes."""
        ingest: grpc.RpcMethodHandler[bytes, pb.Ack] = grpc.stream_stream_rpc_method_handler(
            self.ingest, response_serializer=pb.Ack.SerializeToString
        )
        listen: grpc.RpcMethodHandler[pb.Listener, pb.Request] = (
            grpc.unary_unary_rpc_method_handler(
                self.listen, pb.Listener.FromString, pb.Request.SerializeToString
            )
        )
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {"Ingest": ingest, "Listen": listen}
        return grpc.method_handlers_generic_handler(_SERVICE.full_name, handlers)

    async def ingest(self, _: object, context: Context) -> None:
        """One stream, to its end."""
        stream = Stream()
        self._held_bytes[stream] = 0
        try:
            while (message := await self._next(context)) is not None:
                sequence = await self._stored(stream, message)
                await context.write(pb.Ack(sequence=sequence))
        except Exception as error:
            await self._refuse(context, error)
        finally:
            del self._held_bytes[stream]
        if self._stopping.is_set():
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the server stops: try again later")

    async def listen(
        self, listener: pb.Listener, context: grpc.aio.ServicerContext[pb.Listener, pb.Request]
    ) -> pb.Request:
        """Answers when somebody asks for a session of the host."""
        try:
            if not self._stopping.is_set():
                return await self._listeners.wait(listener.host_name)
        except asyncio.CancelledError:
            if not self._stopping.is_set():
                raise  # the collector has hung up
        await context.abort(grpc.StatusCode.UNAVAILABLE, "the server stops: try again later")

    def stop(self) -> None:
        """Ends every stream once the batch in its hands is answered. In the event loop."""
        self._stopping.set()
        self._listeners.stop()
        for task in self._reading:
            task.cancel()

    def close(self) -> None:
        """Waits for the batches that are being written. Outside of the event loop."""
        self._writer.close()

    async def _next(self, context: Context) -> bytes | None:
        """The next message of a stream; None at its end, or where the server stops meanwhile."""
        if self._stopping.is_set():
            return None
        task = asyncio.current_task()
        assert task is not None
        self._reading.add(task)
        try:
            message = await context.read()
            return message if isinstance(message, bytes) else None  # else it is grpc.aio.EOF
        except asyncio.CancelledError:
            if not self._stopping.is_set():
                raise
            task.uncancel()
            return None
        finally:
            self._reading.discard(task)

    async def _stored(self, stream: Stream, message: bytes) -> int:
        """The sequence number of the batch, once it is committed."""
        self._check_bounds(stream, len(message))
        self._waiting_bytes += len(message)
        storing = self._writer.put((stream, message), len(message))

        def done(_: object) -> None:
            self._waiting_bytes -= len(message)

        storing.add_done_callback(done)
        # Shielded: a sender that hangs up does not take its message out of the writer's queue, so
        # it must go on counting as waiting.
        sequence = await asyncio.shield(storing)
        self._held_bytes[stream] = stream.bytes
        return sequence

    def _check_bounds(self, stream: Stream, size: int) -> None:
        if self._waiting_bytes and self._waiting_bytes + size > MAX_WAITING_BYTES:
            raise UnavailableError(
                f"{self._waiting_bytes} bytes of batches wait to be stored: try again later"
            )
        fair_share = MAX_HELD_BYTES // len(self._held_bytes)
        if (
            self._held_bytes[stream] > fair_share
            and sum(self._held_bytes.values()) > MAX_HELD_BYTES
        ):
            raise StreamFullError(
                f"this stream's numbering takes {self._held_bytes[stream]} bytes, "
                f"its share is {fair_share}: begin a new stream"
            )

    def _store(self, messages: Sequence[tuple[Stream, bytes]]) -> list[int | Exception]:
        """Runs in the writing thread."""
        read = [_decoded(stream, message) for stream, message in messages]
        deliveries = [one for one in read if isinstance(one, Delivery)]
        with self._metrics.store_seconds.time():
            outcomes = iter(self._ingester.store_all(deliveries))
        return [
            self._counted(one.batch, next(outcomes)) if isinstance(one, Delivery) else one
            for one in read
        ]

    def _counted(self, batch: DecodedBatch, outcome: Outcome | Exception) -> int | Exception:
        """The number to answer with, or what was wrong."""
        if isinstance(outcome, Exception):
            return outcome
        self._metrics.batches.labels("duplicate" if outcome.duplicate else "stored").inc()
        self._metrics.samples.inc(outcome.samples)
        self._metrics.entries.inc(outcome.entries)
        self._metrics.count_losses(outcome.losses)
        self._metrics.deploys.labels("seen").inc(outcome.noticed.listed)
        self._metrics.unlisted_deploys.inc(outcome.noticed.unlisted)
        _log.debug("batch %d of host %s: %s", batch.sequence, batch.host_name, outcome)
        return batch.sequence

    async def _refuse(self, context: Context, error: Exception) -> None:
        """Ends the stream with the status that says what its sender can do."""
        status = next((code for kind, code in _STATUSES if isinstance(error, kind)), None)
        if status is None:
            _log.error("a batch could not be stored", exc_info=error)
            status = grpc.StatusCode.INTERNAL
        self._metrics.batches.labels(status.name.lower()).inc()
        known = isinstance(error, ProfilerError)
        _log.debug("a batch from %s was refused, %s: %s", context.peer(), status.name, error)
        await context.abort(status, str(error) if known else "the server's log says more")


def _decoded(stream: Stream, message: bytes) -> Delivery | Exception:
    try:
        return Delivery(stream, stream.decoder.decode(wire.parse(message)))
    except Exception as error:  # a mistake of ours must not end other streams
        return error
