"""A cache that never outgrows its bound: what was not used for longest goes first."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """Holds values of a total weight of at most `limit`, but always the one put last.

    Safe to share between threads; the values must be so by themselves.
    """

    def __init__(self, limit: int, weight: Callable[[V], int]) -> None:
        self._limit = limit
        self._weight_of = weight
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._lock = Lock()
        self.weight = 0

    def get(self, key: K) -> V | None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            return entry[0]

    def put(self, key: K, value: V) -> None:
        """Also weighs a value again that has grown."""
        with self._lock:
            self._remove(key)
            weight = self._weight_of(value)
            self._entries[key] = value, weight
            self.weight += weight
            while self.weight > self._limit and len(self._entries) > 1:
                self._remove(next(iter(self._entries)))

    def forget(self, key: K) -> None:
        with self._lock:
            self._remove(key)

    def _remove(self, key: K) -> None:
        _, weight = self._entries.pop(key, (None, 0))
        self.weight -= weight
