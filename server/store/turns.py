"""Turns of the writers of a process, on a database that has one writer at a time."""

from collections import deque
from threading import Event, Lock


class Turns:
    """A lock that is given in the order in which it was asked for.

    SQLite lets a writer that waits look again after up to 100 ms: while one thread writes all the
    time, such as that which stores batches, another hardly ever finds the moment in between.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._asked = deque[Event]()

    def take(self, seconds: float) -> bool:
        """False where it was not given in time."""
        given = Event()
        with self._lock:
            self._asked.append(given)
            self._asked[0].set()
        if given.wait(seconds):
            return True
        with self._lock:
            if not given.is_set():
                self._asked.remove(given)
            return given.is_set()

    def give(self) -> None:
        with self._lock:
            self._asked.popleft()
            if self._asked:
                self._asked[0].set()
