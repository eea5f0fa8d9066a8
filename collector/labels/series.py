"""How many series a drain may have."""

from profiler.model import Labels

MAX_SERIES = 1000
"""A node has some 100 services and programs; a loop that invents a name a second makes 10."""


class Series:
    """Admits up to `limit` series a drain; what finds no place is `other`, which is one more.

    What was in the drain before keeps its place, so that at the limit the same series go on.
    """

    def __init__(self, other: Labels, limit: int = MAX_SERIES) -> None:
        self.other = other
        self._limit = limit
        self._before: set[Labels] = set()
        self._now: set[Labels] = set()
        self._new = 0

    def begin_drain(self) -> None:
        self._before, self._now, self._new = self._now, set(), 0

    def admit(self, labels: Labels) -> Labels:
        if labels in self._now or labels == self.other:
            return labels
        if labels not in self._before:
            if len(self._before) + self._new >= self._limit:
                return self.other
            self._new += 1
        self._now.add(labels)
        return labels
