"""The parent's side of the child that builds tables (see `worker`): files in, tables out, later.

builder.submit("libc", descriptor)
…
for key, answer in builder.answers(): …
"""

import os
from collections import deque
from collections.abc import Hashable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

from collector.confined.child import Child, Died
from profiler.clock import Clock
from profiler.errors import FormatError

K = TypeVar("K", bound=Hashable)

PATIENCE_NS = 120_000_000_000
"""For one file: the child may use 30 s of a CPU, and has a low priority."""
IDLE_NS = 30_000_000_000
"""After this long without a file the child ends; a new one takes 0.2 s to start."""


class Builder(Generic[K]):
    """Keeps one file with the child at a time, so that a death has one culprit."""

    def __init__(self, folder: Path | None, clock: Clock) -> None:
        self._child = Child("collector.unwind.worker", str(folder or ""))
        self._clock = clock
        self._queue: deque[tuple[K, int]] = deque()
        self._current: tuple[K, int] | None = None  # with the descriptor of its table to be
        self._since_ns = 0
        self._paused = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._child.close()
        for _, descriptor in self._queue:
            os.close(descriptor)
        self._queue.clear()
        if self._current:
            os.close(self._current[1])
            self._current = None

    @property
    def child_pid(self) -> int | None:
        return self._child.pid

    @property
    def pending(self) -> int:
        return len(self._queue) + (self._current is not None)

    def submit(self, key: K, descriptor: int) -> None:
        """Asks for the table of a file; the descriptor is closed once it is with the child."""
        self._queue.append((key, descriptor))
        self._send_next()

    def pause(self) -> bool:
        """Sends no file until `resume`. Whether the child has none: it is ended then."""
        self._paused = True
        if self._current is None:
            self._child.close()
        return self._current is None

    def resume(self) -> None:
        self._paused = False
        self._send_next()

    def answers(self) -> Iterator[tuple[K, int | FormatError]]:
        """What is done by now: the descriptor of a table file, for the caller to close, or what
        is wrong with the file."""
        while self._current:
            answer = self._receive()
            if answer is None:
                break
            key, target = self._current
            self._current = None
            self._since_ns = self._clock.monotonic_ns()
            if answer:
                os.close(target)
                yield key, FormatError(answer)
            else:
                yield key, target
            self._send_next()
        if not self._current and self._waited() > IDLE_NS:
            self._child.close()

    def _receive(self) -> str | None:
        """ "" for a table; None where the child is still at work."""
        try:
            answer = self._child.answer(0)
        except Died:
            return "reading it ended the child that did it"
        if answer is None and self._waited() >= PATIENCE_NS:
            self._child.close()
            return "it takes too long"
        return answer

    def _waited(self) -> int:
        return self._clock.monotonic_ns() - self._since_ns

    def _send_next(self) -> None:
        if self._paused or self._current or not self._queue:
            return
        key, source = self._queue.popleft()
        target = os.memfd_create("unwind table", os.MFD_CLOEXEC)
        self._current, self._since_ns = (key, target), self._clock.monotonic_ns()
        try:
            self._child.ask(b"build", source, target)
        except OSError:  # no room for a process: the answer says so
            pass
        finally:
            os.close(source)
