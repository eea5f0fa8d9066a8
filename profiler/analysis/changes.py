"""Where a history changed its level, and did not just go up and down.

Binary segmentation: of all ways to cut a history in two, the one whose parts differ most (the
largest sum of squares between them) is a change if fewer than one in a hundred random orders of the
same days can be cut so well; then each part is looked at likewise. A permutation test needs no
normal distribution, and holds its rate for the best of all cuts, not for one that was chosen
before. Of a history that does not change, one in a hundred has a change by mistake.

That holds for independent days. Of days that are like the day before, a few look like a level of
their own; so what a cut has found is divided by what a mean of such days varies more, (1 + r) /
(1 - r) with r the correlation of a day with the next. The simulation in
tests/profiler/analysis/test_changes.py has the rates.

>>> changes(np.array([1.0, 1.1, 0.9, 1.0, 1.1, 0.9, 1.0, 2.1, 2.0, 2.1, 1.9, 2.0, 1.9, 2.0]))
[Change(at=7, before=1.0, after=2.0)]

Vostrikova (1981) for the segmentation; E-divisive (Matteson and James, 2014), which other
performance teams use, tests by permutation likewise.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

ALARM_RATE = 0.01

LEAST = 3
"""Days on either side: one day that is odd is no change."""

_PERMUTATIONS = 999
_SEED = 7
"""The same history has the same changes whenever it is asked for."""

_MOST_ALIKE = 0.9

MOST = 1000
"""Entries of a history: 8 MB of permutations."""


@dataclass(frozen=True, slots=True)
class Change:
    """From the entry `at` on it is another level; the means of what is between two changes."""

    at: int
    before: float
    after: float


def changes(history: Vector, rate: float = ALARM_RATE) -> list[Change]:
    """In order."""
    cuts = sorted(_cuts(np.asarray(history[-MOST:], np.float64), max(len(history) - MOST, 0), rate))
    edges = [0, *cuts, len(history)]
    if not cuts:
        return []
    means = [float(history[start:end].mean()) for start, end in pairwise(edges)]
    return [
        Change(at, round(before, 12), round(after, 12))
        for at, (before, after) in zip(cuts, pairwise(means), strict=True)
    ]


def best_cut(history: Vector, least: int = 1) -> int:
    """Where the two parts differ most, each of at least so many entries."""
    return least + int(np.argmax(_between(history[None], least)[0]))


def _cuts(history: Vector, offset: int, rate: float) -> Iterator[int]:
    if len(history) < 2 * LEAST or np.ptp(history) == 0:
        return
    found = _between(history[None], LEAST)[0]
    least = _beyond(found.max(), history) / _inflation(history)
    orders = np.tile(history, (_PERMUTATIONS, 1))
    others = _between(np.random.default_rng(_SEED).permuted(orders, axis=1), LEAST).max(axis=1)
    at = LEAST + int(found.argmax())
    as_good = np.count_nonzero(_beyond(others, history) >= least * (1 - 1e-9))
    if (1 + as_good) / (1 + _PERMUTATIONS) > rate:
        return
    yield offset + at
    yield from _cuts(history[:at], offset, rate)
    yield from _cuts(history[at:], offset + at, rate)


def _beyond(between: Vector, history: Vector) -> Vector:
    """The squares between the parts beside those within them, as in an F test."""
    whole = float(((history - history.mean()) ** 2).sum())
    return between / np.maximum(whole - between, 1e-9 * whole)


def _inflation(history: Vector) -> float:
    """How much more a mean varies than one of independent entries, at least 1. Of entries with the
    correlation r, the squares of the differences to the next but one are 1 + r times those to the
    next; the largest quarter of either is where the level changes."""
    next, next_but_one = (_trimmed((history[lag:] - history[:-lag]) ** 2) for lag in (1, 2))
    r = min(max(next_but_one / next - 1, 0.0), _MOST_ALIKE) if next else 0.0
    return (1 + r) / (1 - r)


def _trimmed(squares: Vector) -> float:
    """The mean without the largest quarter."""
    return float(np.sort(squares)[: len(squares) - len(squares) // 4].mean())


def _between(histories: NDArray[np.float64], least: int) -> NDArray[np.float64]:
    """The sum of squares between the parts, by history and cut."""
    length = histories.shape[1]
    left = np.arange(least, length - least + 1)
    sums = np.cumsum(histories - histories.mean(axis=1, keepdims=True), axis=1)[:, left - 1]
    squares: NDArray[np.float64] = sums**2 * length / (left * (length - left))
    return squares
