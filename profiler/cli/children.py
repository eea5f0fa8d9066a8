"""Commands of ours as child processes: their talk, their order, their end.

    with Children(print) as children:
        children.start("serve", [sys.executable, "-m", "profiler", "serve"])
        while children.attend(1.0):
            ...

Children stand in process groups of their own, so that Ctrl-C reaches only this process and they
can be stopped in order: what was started last is stopped first. When this process is killed
without a chance to do that, the kernel ends them.
"""

import ctypes
import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Self

from profiler.errors import UnavailableError

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOP_TIMEOUT_S = 20.0
"""For a collector's last drain and its delivery; then it is killed."""

PATIENCE_S = 2.0
"""Who pressed Ctrl-C waits so long without a word."""

REASON_DELAY_S = 0.5
"""How long a line is kept back, since it may be the reason of an end that follows it."""

PIPE_BYTES = 1 << 16
"""What a pipe holds: after a process has ended, one read of this size has all that is left."""

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_libc = ctypes.CDLL(None, use_errno=True)


class Children:
    """A context manager; on leaving it, all children are stopped.

    `relay` takes each line that they print, on either stream.
    """

    def __init__(self, relay: Callable[[str], None]) -> None:
        self._relay = relay
        self._children: list[_Child] = []
        self._selector = selectors.DefaultSelector()
        self._wakeup, self._signalled = socket.socketpair()
        self._stopping = False

    def __enter__(self) -> Self:
        for end in (self._wakeup, self._signalled):
            end.setblocking(False)
        self._selector.register(self._wakeup, selectors.EVENT_READ)
        self._old_wakeup = signal.set_wakeup_fd(self._signalled.fileno())
        self._old_handlers = {
            number: signal.signal(number, _noted)
            for number in STOP_SIGNALS
            if signal.getsignal(number) is not signal.SIG_IGN  # as nohup leaves SIGHUP
        }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for child in reversed(self._children):
            self._stop(child)
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_wakeup)
        self._selector.close()
        self._wakeup.close()
        self._signalled.close()

    def start(self, name: str, command: Sequence[str], *, may_end: bool = False) -> None:
        """Starts `command`; `may_end` says that its ending without an error is as planned."""
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
            preexec_fn=partial(end_with_parent, os.getpid()),
        )
        child = _Child(name, process, may_end, self._relay)
        self._children.append(child)
        self._selector.register(child.fd, selectors.EVENT_READ, child)

    def attend(self, seconds: float) -> bool:
        """Relays what the children say for this long; False, at once, when a signal says stop.

        Raises UnavailableError with the reason and the exit code when one ends unplanned.
        """
        deadline = time.monotonic() + seconds
        while not self._stopping:
            for child in self._children:
                child.check()
            left = deadline - time.monotonic()
            if left <= 0:
                return True
            self._read(min(left, REASON_DELAY_S))
        return False

    def _read(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            if key.data is None:
                self._wakeup.recv(4096)
                self._stopping = True
            elif not key.data.read():
                self._selector.unregister(key.fileobj)

    def _stop(self, child: "_Child") -> None:
        """Asks it to end and waits; a second signal, or too long a time, kills it."""
        self._stopping = False
        child.process.terminate()
        start = time.monotonic()
        told = False
        while child.process.poll() is None:
            waited = time.monotonic() - start
            if not told and waited > PATIENCE_S:
                told = True
                self._relay(f"profiler: waiting for `{child.name}` to end; Ctrl-C again kills it")
            if self._stopping or waited > STOP_TIMEOUT_S:
                child.process.kill()
                child.process.wait()
                self._relay(f"profiler: `{child.name}` was killed: what it had left is not stored")
            self._read(0.05)
        child.close()


class _Child:
    """One process and what it said last."""

    def __init__(
        self,
        name: str,
        process: subprocess.Popen[bytes],
        may_end: bool,
        relay: Callable[[str], None],
    ) -> None:
        assert process.stdout is not None
        self.process = process
        self._output = process.stdout
        self.fd = self._output.fileno()
        os.set_blocking(self.fd, False)
        self.name = name
        self._may_end = may_end
        self._relay = relay
        self._partial = b""
        self._held = ""
        self._held_since = 0.0
        self._relayed = False

    def read(self) -> bool:
        """Takes in what it has printed, a pipe's capacity at most; False when no more can come."""
        try:
            data = os.read(self.fd, PIPE_BYTES)
        except BlockingIOError:
            return True
        lines = (self._partial + data).split(b"\n")
        self._partial = lines.pop()
        for line in lines:
            self._hold(line)
        return bool(data)

    def check(self) -> None:
        """Passes a line on that was kept back; UnavailableError where it ended unplanned."""
        code = self.process.poll()
        if code is None:
            if time.monotonic() - self._held_since > REASON_DELAY_S:
                self._hold(b"")
            return
        self._read_last()
        if code == 0 and self._may_end:
            self._hold(b"")
            return
        reason, self._held = self._held.removeprefix("profiler: "), ""
        if not reason:  # or it took longer to end than the line was kept back
            reason = "see above" if code > 0 and self._relayed else "no reason"
        ending = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        raise UnavailableError(f"`profiler {self.name}` ended: {reason} ({ending})")

    def close(self) -> None:
        self._read_last()
        self._hold(b"")
        self._output.close()

    def _read_last(self) -> None:
        self.read()
        if self._partial:
            self._hold(self._partial)
            self._partial = b""

    def _hold(self, line: bytes) -> None:
        """Keeps `line` back and passes on the one that was; an empty line only passes on."""
        if self._held:
            self._relay(self._held)
            self._relayed = True
        self._held = line.decode("utf-8", "backslashreplace").rstrip()
        self._held_since = time.monotonic()


def end_with_parent(parent: int) -> None:
    """In a child, before it becomes its program: SIGTERM when the process `parent` ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it ended before the kernel was asked
        os._exit(1)


def _noted(number: int, frame: object) -> None:
    """The signal has been written to the wake-up socket; nothing is to be done in its place."""
