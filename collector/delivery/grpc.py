"""Delivers drains to a server over one gRPC stream, by way of a spool on disk.

A thread of its own sends what the spool holds, oldest first, at most `spool.WINDOW` batches ahead
of the acknowledgements. What is acknowledged leaves the spool; what is not is sent again on the
next stream, and the server stores it once. Which batch the server refuses is not guessed: after a
refusal the next stream sends one batch alone, and only what is refused alone is given up.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import grpc

from collector.delivery import requests
from collector.delivery.spool import Spool
from profiler.errors import UsageError
from profiler.model import Drain
from profiler.v1 import ingest_pb2 as pb
from profiler.v1 import ingest_pb2_grpc
from profiler.wire import StreamEncoder
from profiler.wire.limits import MESSAGE_BYTES

CLOSE_SECONDS = 5.0
"""How long `close` waits for acknowledgements. Kubernetes kills 30 s after SIGTERM."""

ACK_SECONDS = 60.0
"""A server that takes a batch and says nothing for so long is left for a new stream."""

RETRY_SECONDS = (0.5, 30.0)
"""The first wait after a stream that failed, doubled each time up to the last, each of them times
a random 0.5 to 1, so that a fleet does not come back all at once."""

ATTEMPTS = 20
"""A batch on which the server fails so often, in some 8 minutes, is given up like a refused one:
it would keep all others from being sent, until the spool is full."""

STREAM_NODES = 200_000
"""Nodes after which a new stream begins: the encoder keeps about 130 bytes of each."""

_BROKEN = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)
"""What a server answers whose code fails."""

_OPTIONS = (
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    # A peer that vanished without closing is found within 40 s, also behind a NAT.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # The waits between attempts are ours, not those of a connection shared in the process.
    ("grpc.use_local_subchannel_pool", 1),
)

logger = logging.getLogger(__name__)


def plain_channel(target: str) -> Callable[[], grpc.Channel]:
    """Opens connections without TLS to `target`, HOST:PORT; raises UsageError where it is none."""
    host, _, port = target.rpartition(":")
    if not host or "/" in host or not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError(f"server {target!r}: expected HOST:PORT, such as 127.0.0.1:8441")
    return lambda: grpc.insecure_channel(target, options=_OPTIONS)


class GrpcExporter:
    """An Exporter over `spool`, which it closes. `connect` opens a channel, a new one a stream.

    `acknowledged` counts the samples that the server has said to have stored.
    """

    def __init__(
        self,
        spool: Spool,
        connect: Callable[[], grpc.Channel],
        name: str = "the server",
        retry_seconds: tuple[float, float] = RETRY_SECONDS,
    ) -> None:
        self.acknowledged = 0
        self.spool = spool
        self._connect = connect
        self._name = name
        self._retry_seconds = retry_seconds
        self._changed = threading.Condition()  # guards all below and the spool
        self._closing = False
        self._away = False
        self._full = False  # the last stream ended with its numbering: the next begins at once
        self._alone = False  # send one batch and wait: one of the last stream's was refused
        self._failures = 0  # streams in a row without an acknowledgement
        self._broken = 0  # those of them on which the server itself failed
        self._call: Any = None
        self._channel: grpc.Channel | None = None
        self._listen: Callable[[grpc.Channel], None] = lambda channel: None
        self._thread = threading.Thread(target=self._run, name="delivery", daemon=True)
        self._thread.start()

    def listen(self, host_name: str, ask: requests.Ask) -> None:
        """From now on calls `ask` with what the server wants of the host, in a thread of gRPC's,
        as long as there is a stream."""
        with self._changed:
            self._listen = partial(requests.listen, host_name=host_name, ask=ask)
            if self._channel is not None:
                self._listen(self._channel)

    def export(self, drain: Drain) -> None:
        """Returns once the drain is in the spool."""
        with self._changed:
            self.spool.append(drain)
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            # With nothing to wait for, the stream need only be told of its end.
            patience = CLOSE_SECONDS if self.spool.batches else CLOSE_SECONDS / 5
        self._thread.join(patience)
        with self._changed:
            if self._call is not None:
                self._call.cancel()
        self._thread.join(CLOSE_SECONDS)
        with self._changed:
            self.spool.close()

    def _run(self) -> None:
        """One stream after another, until there is nothing more to send or no one to take it."""
        while self._something_to_send():
            stream = _Stream()
            try:
                self._deliver(stream)
            except grpc.RpcError as error:
                wait_seconds = self._failed(stream, error)
            else:
                wait_seconds = 0.0
            with self._changed:
                stream.ended = True
                self._full = wait_seconds == 0.0 and stream.full
                self._changed.notify_all()
                if self._closing and self._away:
                    return
                self._changed.wait_for(lambda: self._closing, wait_seconds)

    def _something_to_send(self) -> bool:
        """Waits for a batch; False when there will be no more. After a stream that was full it does
        not wait: without one nobody could ask for a session until the next drain."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._full or self.spool.batches)
            return self.spool.batches > 0 or not self._closing

    def _deliver(self, stream: "_Stream") -> None:
        with self._connect() as channel:
            service = ingest_pb2_grpc.IngestServiceStub(channel)
            call = service.Ingest(self._requests(stream))
            with self._changed:
                self._call, self._channel = call, channel
                self._listen(channel)
            try:
                for ack in self._acknowledgements(stream, call):
                    self._acknowledge(stream, ack.sequence)
            finally:
                with self._changed:
                    self._channel = None

    def _acknowledgements(self, stream: "_Stream", call: Any) -> Iterator[pb.Ack]:
        """What the server answers, asked for once there is something to answer: gRPC's wait for a
        message is a loop that looks ten times a second."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: stream.unacknowledged or stream.complete)
            if (ack := next(call, None)) is None:
                return
            yield ack

    def _requests(self, stream: "_Stream") -> Iterator[pb.Batch]:
        """What the stream sends; runs in a thread of gRPC's."""
        try:
            while (batch := self._next(stream)) is not None:
                yield batch
        finally:
            with self._changed:
                stream.complete = True
                self._changed.notify_all()

    def _next(self, stream: "_Stream") -> pb.Batch | None:
        """The next batch, once there is one and room in the window; None to end the stream."""
        with self._changed:
            while not stream.ended and not stream.full:
                sequence = self._unsent(stream)
                if sequence is not None:
                    if (content := self.spool.read(sequence)) is None:
                        continue
                    stream.send(sequence)
                    self._changed.notify_all()
                    collector_id, drain = content
                    return stream.encoder.encode(drain, collector_id, sequence)
                if self._closing and not stream.unacknowledged:
                    return None
                self._changed.wait(ACK_SECONDS)
                if stream.silent_seconds > ACK_SECONDS:
                    self._call.cancel()
                    return None
            return None

    def _unsent(self, stream: "_Stream") -> int | None:
        if self._alone and stream.unacknowledged:
            return None
        return next((n for n in self.spool.due() if n not in stream.unacknowledged), None)

    def _acknowledge(self, stream: "_Stream", sequence: int) -> None:
        with self._changed:
            if sequence not in stream.unacknowledged:
                return
            stream.acknowledge(sequence)
            self.acknowledged += self.spool.remove(sequence)
            self._alone = False
            self._failures = self._broken = 0
            if self._away:
                self._away = False
                logger.warning("%s answers again", self._name)
            self._changed.notify_all()

    def _failed(self, stream: "_Stream", error: Any) -> float:
        """Draws the conclusions from the end of a stream; the seconds to wait before the next."""
        with self._changed:
            said = " ".join(str(error.details()).split())[:300]
            if stream.silent_seconds > ACK_SECONDS:
                said = f"no acknowledgement for {ACK_SECONDS:g} s"
            if error.code() is grpc.StatusCode.INVALID_ARGUMENT and stream.sent:
                self._refused(stream, said)
                return 0.0
            if not self._away:
                self._away = True
                logger.warning(
                    "%s does not take batches (%s: %s); keeping them in %s",
                    self._name,
                    error.code().name,
                    said,
                    self.spool.directory,
                )
            self._failures += 1
            self._broken = self._broken + 1 if error.code() in _BROKEN and stream.sent else 0
            if self._broken >= ATTEMPTS:
                self._refused(stream, said)
            first, last = self._retry_seconds
            return min(first * 2.0 ** min(self._failures - 1, 32), last) * random.uniform(0.5, 1)

    def _refused(self, stream: "_Stream", said: str) -> None:
        if stream.sent > 1:
            self._alone = True
            return
        for sequence in stream.unacknowledged:
            logger.warning("%s refuses batch %d: %s", self._name, sequence, said)
            self.spool.refuse(sequence)


class _Stream:
    """What is known of one stream."""

    def __init__(self) -> None:
        self.encoder = StreamEncoder()
        self.sent = 0
        self.unacknowledged: list[int] = []
        self.complete = False  # nothing more will be sent on it
        self.ended = False
        self._heard = time.monotonic()

    def send(self, sequence: int) -> None:
        if not self.unacknowledged:
            self._heard = time.monotonic()
        self.unacknowledged.append(sequence)
        self.sent += 1

    def acknowledge(self, sequence: int) -> None:
        self.unacknowledged.remove(sequence)
        self._heard = time.monotonic()

    @property
    def full(self) -> bool:
        return self.encoder.nodes >= STREAM_NODES

    @property
    def silent_seconds(self) -> float:
        """How long an acknowledgement has been waited for."""
        return time.monotonic() - self._heard if self.unacknowledged else 0.0
