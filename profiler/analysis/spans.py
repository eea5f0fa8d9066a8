"""Two spans of time compared by their days, or hours, each of which is like the one before.

The mean of seven days that are alike varies more than they tell: with a correlation r of a day with
the next of 0.5, three times as much. One function's week tells nothing of r, but many together do:
what is left of each day without the mean of its span is multiplied with that of the next, over all
functions. What is to be expected of that is known where days k apart have the correlation r**k (it
is less than r: the mean of the span takes some of it along), and r is the one that fits.

>>> round(_Days.of(7, 0.5).inflation, 1), round(_Days.of(7, 0.5).freedom, 1)
(3.2, 4.5)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from profiler.analysis import estimate
from profiler.analysis.correction import benjamini_hochberg
from profiler.analysis.estimate import Difference, Ratio, Vector

MOST_ALIKE = 0.9

_GRID = np.linspace(0.0, MOST_ALIKE, 19)


def compare(before: Ratio, now: Ratio) -> Difference:
    """Of two spans whose units are days or hours in order."""
    r = _alike(before, now)
    days = [_Days.of(side.units, r) for side in (before, now)]
    widened = (_widened(side, of.inflation) for side, of in zip((before, now), days, strict=True))
    found = of_hosts(*widened)
    freedom = min(of.freedom / (of.units - 1) for of in days)
    return found.with_variance(found.variance, found.freedom * freedom)


def of_hosts(before: Ratio, now: Ratio) -> Difference:
    """Of units that are independent. No variance is less than sampling's."""
    found = estimate.compare(before, now)
    return found.with_variance(np.maximum(found.variance, found.floor), found.freedom)


def moved(
    difference: Difference, enough: NDArray[np.bool_], tested: int, level: float
) -> NDArray[np.bool_]:
    """Which differ by more than noise, by Benjamini and Hochberg's correction, of `tested`
    functions of which these are some; all others count as if they did not differ. Those are not
    tested that have not `enough` samples."""
    found = np.zeros(len(enough), bool)
    found[enough] = benjamini_hochberg(difference.differs()[enough], level, tested)
    return found


@dataclass(frozen=True, slots=True)
class _Days:
    """What is expected of a span of days of the variance 1: the sum of squares of what each is off
    their mean by, and that of products of two that follow each other."""

    units: int
    squares: float
    products: float
    inflation: float
    """By how much the variance of the mean is larger than it looks."""
    freedom: float
    """Satterthwaite's, of the sum of squares."""

    @classmethod
    def of(cls, units: int, r: float) -> Self:
        at = np.arange(units)
        alike = r ** np.abs(at[:, None] - at)
        centred = alike - alike.mean(axis=0) - alike.mean(axis=1, keepdims=True) + alike.mean()
        squares = float(np.trace(centred))
        return cls(
            units,
            squares,
            float(np.trace(centred, 1)),
            float(alike.mean()) * units * (units - 1) / squares,
            squares**2 / float((centred**2).sum()),
        )


def _alike(before: Ratio, now: Ratio) -> float:
    """The correlation of a day with the next that both sides have, over all functions."""
    squares, products = np.zeros((2, before.x.shape[1]))
    for side in (before, now):
        rest = side.residuals() * side.whole / side.n[:, None]
        squares += (rest**2).sum(axis=0)
        products += (rest[1:] * rest[:-1]).sum(axis=0)
    varies = squares > 0
    if not varies.any():
        return 0.0
    seen = (products[varies] / squares[varies]).mean()
    return float(fitting(seen, (before.units, now.units)))


def fitting(seen: Vector | float, units: Sequence[int]) -> Vector:
    """The correlation of a day with the next, of spans of so many days, in which the sum of the
    products of two days that follow each other, without the mean of their span, is so large a part
    of that of squares."""
    expected = [_expected(units, r) for r in _GRID]
    return np.asarray(np.interp(seen, expected, _GRID), np.float64)


def _expected(units: Sequence[int], r: float) -> float:
    days = [_Days.of(count, r) for count in units]
    return sum(of.products for of in days) / sum(of.squares for of in days)


def _widened(side: Ratio, inflation: float) -> Ratio:
    mean: Vector = side.value
    around = np.outer(side.n, mean)
    return replace(side, x=around + (side.x - around) * np.sqrt(inflation))
