"""The collector's side of a confined child (see `worker`).

child = Child("collector.symbols.worker")
child.ask(b"all", source, target)
child.answer(20.0)
"""

import socket
import subprocess
import sys
from contextlib import suppress

from collector.confined.worker import MAX_ANSWER


class Died(Exception):
    """The child ended instead of answering; the next question starts another."""


class Child:
    """Runs a module of ours, started when it is first asked and again after its death."""

    def __init__(self, module: str, *arguments: str) -> None:
        # -P: nothing is imported from where we stand.
        self._command = [sys.executable, "-P", "-m", module, *arguments]
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._killed: list[subprocess.Popen[bytes]] = []

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def ask(self, message: bytes, source: int, target: int) -> None:
        """Sends a file, and one for what comes of it; both descriptors stay the caller's.

        Raises OSError where no child can be started.
        """
        connection = self._connection()
        with suppress(BrokenPipeError, ConnectionResetError):  # the answer says so
            socket.send_fds(connection, [message], [source, target])

    def answer(self, patience_seconds: float) -> str | None:
        """The answer to what was asked; None where it takes longer. Raises Died."""
        answer = b""
        if self._socket is not None:
            self._socket.settimeout(patience_seconds)
            try:
                answer = self._socket.recv(MAX_ANSWER + 1)
            except (TimeoutError, BlockingIOError):
                return None
            except ConnectionResetError:
                pass
        if not answer:
            self.close()
            raise Died
        return answer[1:].decode("utf-8", "replace")

    def _connection(self) -> socket.socket:
        if self._socket is None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._socket = ours
            with theirs:
                # A session of its own: Ctrl-C in the terminal is the collector's to handle.
                self._process = subprocess.Popen(
                    self._command,
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                    cwd="/",
                )
        return self._socket

    def close(self) -> None:
        """Ends the child. One that takes its time to end is looked for again at the next call."""
        if self._socket is not None:
            self._socket.close()
        if self._process is not None:
            self._process.kill()
            with suppress(subprocess.TimeoutExpired):  # it may wait for a disk that is away
                self._process.wait(timeout=1)
            self._killed.append(self._process)
        self._socket = self._process = None
        self._killed = [process for process in self._killed if process.poll() is None]
