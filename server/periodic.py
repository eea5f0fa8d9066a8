"""What the server does again and again, beside what it is asked."""

import logging
import threading
import time
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from profiler.errors import UnavailableError


class Periodic(ABC):
    """Looks every so many seconds at what there is to do, and does it, in a thread of its own from
    entry to exit. Where that fails, the log says what is `undone`.

    `stopping` is set when it is to end, which waits for the look in hand; `next_monotonic` is when
    it looks next, or at once where that has passed.
    """

    def __init__(self, name: str, pause_seconds: float, undone: str) -> None:
        self.stopping = threading.Event()
        self.next_monotonic = 0.0
        self._pause_seconds = pause_seconds
        self._undone = undone
        self._log = logging.getLogger(type(self).__module__)
        self._thread = threading.Thread(target=self._run, name=name)

    @abstractmethod
    def look(self) -> None: ...

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stopping.set()
        self._thread.join()

    def _run(self) -> None:
        pause_seconds = self._pause_seconds
        while not self.stopping.wait(pause_seconds):
            self.next_monotonic = time.monotonic() + self._pause_seconds
            try:
                self.look()
            except UnavailableError as error:
                self._log.warning("%s: %s", self._undone, error)
            except Exception:
                self._log.exception(self._undone)
            pause_seconds = max(self.next_monotonic - time.monotonic(), 0)
