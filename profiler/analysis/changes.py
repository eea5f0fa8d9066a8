"""Where a history changed its level, and did not just go up and down.

Binary segmentation: of all ways to cut a history in two, the one whose parts differ most (the
largest sum of squares between them beside that within) is a change if fewer than one in a hundred
histories without a change can be cut so well; then each part is looked at likewise. Of a history
that does not change, one in a hundred has a change by mistake.

Days are like the day before, and a few of them look like a level of their own. So the histories
without a change are made of the history itself: what is left of it without the two levels, and of
each day without what it has of the day before (its correlation r, an autoregression), is drawn anew
and put together again with the same r. What a cut has found is divided by what a mean of such days
varies more, (1 + r) / (1 - r), of each drawn history by its own r: so how badly ninety days tell
an r is in the rate too. A bootstrap needs no normal distribution, and holds its rate for the best
of all cuts, not for one that was chosen before. `make bench-gate ARGS=levels` has the rates.

>>> changes(np.array([1.0, 1.1, 0.9, 1.0, 1.1, 0.9, 1.0, 2.1, 2.0, 2.1, 1.9, 2.0, 1.9, 2.0]))
[Change(at=7, before=1.0, after=2.0)]

Vostrikova (1981) for the segmentation; Hušková, Kirch, Prášková and Steinebach (On the detection of
changes in autoregressive time series II: Resampling procedures, 2008) for the bootstrap.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from profiler.analysis import spans

Vector = NDArray[np.float64]

ALARM_RATE = 0.01

LEAST = 3
"""Days on either side: one day that is odd is no change."""

_DRAWN = 999
_SEED = 7
"""The same history has the same changes whenever it is asked for."""

_MOST_ALIKE = 0.9

_BLOCK = 10
"""Days in which a correlation is looked at besides: of nine blocks of a history most have no change
of level in them. Larger ones are hit by changes more often, smaller ones tell less."""

_LESS = 2.5
"""What is left of n days without the levels of their best cut has a correlation that is less than
that of the days, r, by so many times (1 + 4 r) / n: measured, of 20 to 90 days and an r of 0.3 to
0.7. Without one mean it is one time (Kendall, Note on bias in the estimation of autocorrelation,
1954)."""

_BEFORE = 50
"""Days that are drawn and left out, after which it does not matter how the first one was."""

MOST = 1000
"""Entries of a history: 8 MB of drawn ones."""


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
    found = _Cut.of(history[None])
    others = _Cut.of(_drawn(found.rest[0], float(found.alike[0]))).differs
    if (1 + np.count_nonzero(others >= found.differs * (1 - 1e-9))) / (1 + _DRAWN) > rate:
        return
    at = int(found.at[0])
    yield offset + at
    yield from _cuts(history[:at], offset, rate)
    yield from _cuts(history[at:], offset + at, rate)


@dataclass(frozen=True, slots=True, eq=False)
class _Cut:
    """The best one of each history; `rest` is the history without its two levels, `alike` the
    correlation of a day with the next one, and `differs` how much the parts do, as in an F test, if
    the mean of such days varies so much more."""

    at: NDArray[np.intp]
    rest: NDArray[np.float64]
    alike: Vector
    differs: Vector

    @classmethod
    def of(cls, histories: NDArray[np.float64]) -> "_Cut":
        between = _between(histories, LEAST)
        at = LEAST + between.argmax(axis=1)
        left = np.arange(histories.shape[1]) < at[:, None]
        rest = histories - np.where(left, _mean(histories, left), _mean(histories, ~left))
        squares = (rest**2).sum(axis=1)
        best = between.max(axis=1)
        within = np.maximum(squares, 1e-9 * np.maximum(best, 1e-300))
        r = _unbiased((rest[:, 1:] * rest[:, :-1]).sum(axis=1) / within, histories.shape[1])
        r = np.minimum(r, _within_blocks(histories))
        return cls(at, rest, r, best / within * (1 - r) / (1 + r))


def _unbiased(r: Vector, days: int) -> Vector:
    least = max(1 - 4 * _LESS / days, 0.5)  # fewer than 20 days tell too little
    return np.asarray(np.clip((r + _LESS / days) / least, 0.0, _MOST_ALIKE), np.float64)


def _within_blocks(histories: NDArray[np.float64]) -> Vector:
    """The correlation in the median block of days."""
    days = histories.shape[1]
    length = min(_BLOCK, max(days // 3, 3))
    blocks = histories[:, days % length :].reshape(len(histories), -1, length)
    rest = blocks - blocks.mean(axis=2, keepdims=True)
    squares = np.maximum((rest**2).sum(axis=2), np.finfo(np.float64).tiny)
    products = (rest[:, :, 1:] * rest[:, :, :-1]).sum(axis=2)
    return spans.fitting(np.median(products / squares, axis=1), (length,))


def _mean(histories: NDArray[np.float64], part: NDArray[np.bool_]) -> NDArray[np.float64]:
    means: NDArray[np.float64] = histories.mean(axis=1, where=part, keepdims=True)
    return means


def _drawn(rest: Vector, alike: float) -> NDArray[np.float64]:
    """Histories without a change, a row each."""
    new = rest[1:] - alike * rest[:-1]
    size = _DRAWN, _BEFORE + len(rest)
    chosen = np.random.default_rng(_SEED).choice(new - new.mean(), size)
    drawn = signal.lfilter([1.0], [1.0, -alike], chosen, axis=1)
    return np.asarray(drawn[:, _BEFORE:], np.float64)


def _between(histories: NDArray[np.float64], least: int) -> NDArray[np.float64]:
    """The sum of squares between the parts, by history and cut."""
    length = histories.shape[1]
    left = np.arange(least, length - least + 1)
    sums = np.cumsum(histories - histories.mean(axis=1, keepdims=True), axis=1)[:, left - 1]
    squares: NDArray[np.float64] = sums**2 * length / (left * (length - left))
    return squares
