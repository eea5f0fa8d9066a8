"""Waits on a channel to the server for somebody who asks for a session.

A call that the server answers late, and not a second stream: gRPC's wait for the next message of a
stream is a loop that looks ten times a second, a call that is answered in a callback costs nothing
meanwhile (docs/decisions/0010).
"""

import logging
import threading
from collections.abc import Callable
from typing import Any

import grpc

from profiler.v1 import ingest_pb2 as pb
from profiler.v1 import ingest_pb2_grpc

WAIT_SECONDS = 50.0
"""Of one call. What stands between us and the server may end calls that are silent for a minute."""

PAUSE_SECONDS = 0.5
"""After an answer: a server that answers everything at once has us call no more often."""

RETRY_SECONDS = 5.0
"""After a call that failed, while the stream beside it goes on."""

_OVER = (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNIMPLEMENTED)
"""The channel was closed; the server is older than this."""

logger = logging.getLogger(__name__)

Ask = Callable[[pb.Request], None]


def listen(channel: grpc.Channel, host_name: str, ask: Ask) -> None:
    """Calls `ask` with each request, in a thread of gRPC's, until `channel` is closed."""
    service = ingest_pb2_grpc.IngestServiceStub(channel)

    def call() -> None:
        try:
            future = service.Listen.future(pb.Listener(host_name=host_name), timeout=WAIT_SECONDS)
        except ValueError:  # the channel is closed
            return
        future.add_done_callback(answered)

    def answered(future: Any) -> None:
        code = future.code()
        if code is grpc.StatusCode.OK:
            try:
                ask(future.result())
            except Exception:  # whoever asks next is heard all the same
                logger.exception("a request for a session was not understood")
        if code in (grpc.StatusCode.OK, grpc.StatusCode.DEADLINE_EXCEEDED):
            later(PAUSE_SECONDS)
        elif code not in _OVER:
            logger.debug("nobody can ask for a session: %s", code.name)
            later(RETRY_SECONDS)

    def later(seconds: float) -> None:
        again = threading.Timer(seconds, call)
        again.daemon = True
        again.start()

    call()
