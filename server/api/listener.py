"""The HTTP server in threads of its own: waitress, which takes slow clients off the workers."""

import socket
import threading
from types import TracebackType
from typing import Any, Self

import waitress
from flask import Flask
from waitress import wasyncore

from profiler.errors import UnavailableError
from server.config import host_and_port

THREADS = 8
"""Requests that are answered at once."""

CONNECTIONS = 512
"""Open at once, most of them idle: a browser keeps six. Beyond it nobody new is answered, so it
is well above what a team's pages keep open, and well below the 1024 files of a process."""


class HttpListener:
    """Listens from entry to exit; `address` is HOST:PORT, port 0 any that is free."""

    def __init__(self, address: str, app: Flask) -> None:
        self._app = app
        self._host, self._port = host_and_port("--http", address)
        self._sockets: dict[int, Any] = {}  # those of waitress' loop, the clients' too

    @property
    def address(self) -> str:
        return f"{self._host}:{self._server.effective_port}"

    def __enter__(self) -> Self:
        self._server = waitress.create_server(
            self._app,
            map=self._sockets,
            sockets=[_bound(self._host, self._port)],
            threads=THREADS,
            connection_limit=CONNECTIONS,
            asyncore_use_poll=True,  # select() takes no descriptor above 1023
            ident=None,  # no Server header
            clear_untrusted_proxy_headers=True,
        )
        self._thread = threading.Thread(target=self._server.run, name="http")
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Answers what was asked. The loop ends when its own thread has closed its sockets."""
        self._server.task_dispatcher.shutdown()
        self._server.trigger.pull_trigger(lambda: wasyncore.close_all(self._sockets))
        self._thread.join()


def _bound(host: str, port: int) -> socket.socket:
    """A socket at the first address of `host`; raises UnavailableError."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        family, _, _, _, address = found[0]
        listening = socket.socket(family)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
        except OSError:
            listening.close()
            raise
        return listening
    except OSError as error:
        raise UnavailableError(
            f"cannot listen on {host}:{port} for browsers ({error.strerror}): "
            "is another server running? Name another address with --http"
        ) from None
