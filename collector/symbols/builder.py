"""Turns ELF files into SymCaches in a child process (see `worker`), one after the other.

    with Builder() as builder:
        symcache = builder.build(descriptor)

A SymCache is a table of functions, files, lines and inlined calls that `symbolic` reads in place.
It lies in a temporary file without a name and is mapped, so that it costs page cache, not heap.
"""

import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from symbolic.exceptions import SymbolicError
from symbolic.symcache import SymCache

from collector.symbols.files import Unreadable

PATIENCE_SECONDS = 20.0
"""For one file. The child may use 10 s of a CPU; a busy machine gives it half of one."""


class Builder:
    """Starts its child when it is first needed, and again after its death."""

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience_seconds = patience_seconds
        self._used = False
        self._child: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def child_pid(self) -> int | None:
        return None if self._child is None else self._child.pid

    def build(self, descriptor: int) -> tuple[SymCache, int]:
        """The SymCache of an ELF file and its size in bytes. Raises Unreadable."""
        try:
            with tempfile.TemporaryFile() as target:
                answer = self._ask(descriptor, target.fileno())
                if answer != "ok":
                    raise Unreadable(answer)
                size = target.seek(0, 2)
                path = f"/proc/self/fd/{target.fileno()}"
                return SymCache.open(path), size  # type: ignore[no-untyped-call]
        except SymbolicError:
            raise Unreadable("bad_elf") from None
        except OSError:  # no room for a temporary file, or for a process
            self.close()
            raise Unreadable("no_room") from None

    def rest(self) -> None:
        """To be called once a drain: ends a child that was not needed since the last call."""
        if not self._used:
            self.close()
        self._used = False

    def _ask(self, source: int, target: int) -> str:
        self._used = True
        connection = self._connection()
        try:
            socket.send_fds(connection, [b"build"], [source, target])
            answer = connection.recv(64).decode()
        except TimeoutError:
            answer = "timeout"
        except (BrokenPipeError, ConnectionResetError):
            answer = ""
        if answer in ("", "timeout"):
            self.close()
        return answer or "crashed"

    def _connection(self) -> socket.socket:
        if self._socket is None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ours.settimeout(self._patience_seconds)
            with theirs:
                # -P: nothing is imported from where we stand. A session of its own: Ctrl-C in
                # the terminal is the collector's to handle.
                self._child = subprocess.Popen(
                    [sys.executable, "-P", str(Path(__file__).with_name("worker.py"))],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                    cwd="/",
                )
            self._socket = ours
        return self._socket

    def close(self) -> None:
        """Ends the child; the next file starts another."""
        if self._socket is not None:
            self._socket.close()
        if self._child is not None:
            self._child.kill()
            self._child.wait()
        self._socket = self._child = None
