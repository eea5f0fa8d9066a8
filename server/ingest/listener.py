"""The gRPC server in a thread of its own, with its event loop."""

import asyncio
import socket
import threading
from concurrent.futures import Future
from types import TracebackType
from typing import Self

import grpc
import grpc.aio

from profiler.errors import UnavailableError
from profiler.wire.limits import MESSAGE_BYTES
from server.config import host_and_port
from server.ingest.service import IngestService

MAX_CALLS = 4096
"""Two a collector: its stream, and the one with which it listens."""

GRACE_SECONDS = 1.0
"""How long a stopping server goes on, so that the batches in its hands are answered."""

_OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),  # else a second server would share the port instead of failing
    ("grpc.keepalive_time_ms", 60_000),  # finds the senders that vanished without a word
    # Collectors look for us each 30 s; gRPC would hang up on more than one ping in 5 minutes.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
)


class IngestListener:
    """Listens from entry to exit; `address` is HOST:PORT, port 0 any that is free."""

    def __init__(self, address: str, service: IngestService) -> None:
        self._address = address
        self._service = service
        self._bound = Future[int]()
        self._thread = threading.Thread(target=self._run, name="grpc")

    @property
    def port(self) -> int:
        return self._bound.result()

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._bound.result()
        except BaseException:
            self._thread.join()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Takes no more batches, and returns when those in hand are committed."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._service.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:
            if self._bound.done():
                raise
            self._bound.set_exception(error)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        server = grpc.aio.server(options=_OPTIONS, maximum_concurrent_rpcs=MAX_CALLS)
        server.add_generic_rpc_handlers((self._service.handler(),))
        port = _bind(server, self._address)
        await server.start()
        self._bound.set_result(port)
        await self._stopping.wait()
        self._service.stop()
        await server.stop(GRACE_SECONDS)


def _bind(server: grpc.aio.Server, address: str) -> int:
    try:
        _probe(address)
        return server.add_insecure_port(address)
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UnavailableError(
            f"cannot listen on {address} for collectors ({reason}): "
            "is another server running? Name another address with --grpc"
        ) from None


def _probe(address: str) -> None:
    """Raises OSError where the address is not to be had. gRPC would log a page about it first."""
    host, port = host_and_port("--grpc", address)
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    with socket.socket(found[0][0]) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gRPC itself does
        probe.bind(found[0][4])
