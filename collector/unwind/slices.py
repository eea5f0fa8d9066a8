"""Slices of one fixed array that the kernel reads: taken, given back, and not reused too early.

A program may still be at work on a slice that was just given back. So it is kept aside, and only
when nothing else is free does the caller wait until no program can see it any more.

    >>> slices = Slices(8, wait=lambda: None)
    >>> slices.take(5), slices.take(3)
    (0, 5)
    >>> slices.give_back(0, 5)
    >>> slices.take(4)
    0
"""

from collections.abc import Callable


class Slices:
    """Numbers 0 to `capacity` - 1. `wait` returns once all programs that now run have ended."""

    def __init__(self, capacity: int, wait: Callable[[], object]) -> None:
        self._free = [(0, capacity)]
        self._given_back: list[tuple[int, int]] = []
        self._wait = wait

    def take(self, count: int) -> int | None:
        """The first of `count` numbers in a row; None where there is no room."""
        first = self._take_free(count)
        if first is None and self._given_back:
            self._wait()
            self._free = _merged(self._free + self._given_back)
            self._given_back = []
            first = self._take_free(count)
        return first

    def give_back(self, first: int, count: int) -> None:
        if count:
            self._given_back.append((first, count))

    def _take_free(self, count: int) -> int | None:
        for index, (first, room) in enumerate(self._free):
            if room > count:
                self._free[index] = (first + count, room - count)
                return first
            if room == count:
                del self._free[index]
                return first
        return None


def _merged(runs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same numbers in the fewest runs."""
    merged: list[tuple[int, int]] = []
    for first, count in sorted(runs):
        if merged and sum(merged[-1]) == first:
            merged[-1] = (merged[-1][0], merged[-1][1] + count)
        else:
            merged.append((first, count))
    return merged
