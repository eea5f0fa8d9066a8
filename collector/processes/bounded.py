"""A cache with a bound: what was used least recently goes first.

>>> cache = Bounded[str, bytes](limit=3, weigh=len)
>>> cache["a"], cache["b"] = b"12", b"34"
>>> cache.get("a") is None, cache.weight, cache.evictions
(True, 2, 1)
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Bounded(Generic[K, V]):
    """Holds entries up to a total weight of `limit`; the newest stays even if it weighs more."""

    def __init__(self, limit: int, weigh: Callable[[V], int]) -> None:
        self._entries: OrderedDict[K, V] = OrderedDict()
        self._limit = limit
        self._weigh = weigh
        self.weight = 0
        self.evictions = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K) -> V | None:
        """The entry of `key`, which becomes the most recently used."""
        value = self._entries.get(key)
        if value is not None:
            self._entries.move_to_end(key)
        return value

    def peek(self, key: K) -> V | None:
        """The entry of `key`, which stays where it is; from any thread."""
        return self._entries.get(key)

    def __setitem__(self, key: K, value: V) -> None:
        self.discard(key)
        self._entries[key] = value
        self.weight += self._weigh(value)
        while self.weight > self._limit and len(self._entries) > 1:
            self.discard(next(iter(self._entries)))
            self.evictions += 1

    def discard(self, key: K) -> None:
        value = self._entries.pop(key, None)
        if value is not None:
            self.weight -= self._weigh(value)

    def clear(self) -> None:
        self._entries.clear()
        self.weight = 0
