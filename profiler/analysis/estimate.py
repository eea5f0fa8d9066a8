"""How much two sides differ in the share of each function, and how sure that is.

Samples of one host are alike, and so are those of one run: a test that takes them for independent
finds a difference in every pair of profiles. So the unit is the host in a window, or the run, and
what the units of one side differ by is the measure of the noise.

A share is a ratio of sums, p = sum(x) / sum(n), and its variance over H units that of the residuals
(Cochran, Sampling Techniques, 3rd edition, 6.3 and 9A):

    H / (H - 1) * sum((x - n p)^2) / sum(n)^2

>>> before = Ratio.of(np.array([[10.0], [12.0], [11.0]]), np.array([100.0, 100.0, 100.0]))
>>> after = Ratio.of(np.array([[20.0], [22.0], [21.0]]), np.array([100.0, 100.0, 100.0]))
>>> difference = compare(before, after)
>>> difference.estimate.round(3).tolist(), bool(difference.above(0.0)[0] < 0.001)
([0.1], True)
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import special

Vector = NDArray[np.float64]

MIN_UNITS = 3
"""A variance of two units is a coin's toss: its t has one degree of freedom."""


_AT_ONCE = 1 << 15
"""Residuals: 256 KB."""


@dataclass(frozen=True, eq=False)
class Ratio:
    """sum(x) / sum(n) of each function over the units of a side; `x` has a row a unit. `floor` is a
    variance of sampling, which there is at least."""

    x: NDArray[np.float64]
    n: Vector
    floor: Vector

    @classmethod
    def of(cls, x: NDArray[np.float64], n: Vector, floor: Vector | float = 0.0) -> Self:
        return cls(x, n, np.broadcast_to(floor, x.shape[1:]))

    @property
    def whole(self) -> float:
        return float(self.n.sum()) or 1.0

    @cached_property
    def value(self) -> Vector:
        return np.asarray(self.x.sum(axis=0) / self.whole, np.float64)

    def residuals(self, functions: slice = slice(None)) -> NDArray[np.float64]:
        """Each unit's part in the error, a row a unit."""
        residuals = np.outer(self.n, self.value[functions])
        np.subtract(self.x[:, functions], residuals, out=residuals)
        residuals /= self.whole
        return residuals

    @property
    def units(self) -> int:
        return len(self.n)

    def diluted(self, by: float) -> "Ratio":
        """The same costs, of so many times less."""
        return Ratio(self.x, self.n / by, self.floor * by**2)

    def scaled(self, factor: float) -> "Ratio":
        return Ratio(self.x * factor, self.n, self.floor * factor**2)

    def moved(self, by: float) -> "Ratio":
        return Ratio(self.x + by * self.n[:, None], self.n, self.floor)


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """Candidate minus baseline of each function, its variance and degrees of freedom; `floor` is
    the variance of sampling alone."""

    estimate: Vector
    variance: Vector
    freedom: Vector
    floor: Vector

    @property
    def error(self) -> Vector:
        return np.asarray(np.sqrt(self.variance), np.float64)

    def with_variance(self, variance: Vector, freedom: Vector) -> "Difference":
        return replace(self, variance=variance, freedom=freedom)

    def chosen(self, functions: NDArray[np.bool_ | np.intp]) -> "Difference":
        """Of some of the functions."""
        columns = (self.estimate, self.variance, self.freedom, self.floor)
        return Difference(*(column[functions] for column in columns))

    def above(self, margin: Vector | float) -> Vector:
        """The probability to see so much by chance if the difference were `margin`."""
        return np.asarray(special.stdtr(self.freedom, -self._t(margin)), np.float64)

    def _t(self, margin: Vector | float) -> Vector:
        beyond = self.estimate - margin
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where(self.variance > 0, beyond / self.error, np.copysign(np.inf, beyond))
        t[beyond == 0] = 0.0
        return t

    def differs(self, level: float = 1.0) -> Vector:
        """The same of a difference as far from 0, to either side; 1 where it is beyond `level` for
        certain, as it is where a normal deviate is that is as large: most are, and a t is dear."""
        t = np.abs(self._t(0.0))
        far = np.flatnonzero(t >= special.ndtri(1 - level / 2) * (1 - 1e-9))
        p = np.ones(len(t))
        p[far] = np.minimum(1.0, 2 * special.stdtr(self.freedom[far], -t[far]))
        return p

    @property
    def reversed(self) -> "Difference":
        return replace(self, estimate=-self.estimate)

    def half_width(self, confidence: float) -> Vector:
        """Of the interval around the estimate."""
        return np.asarray(self.error * self.quantile((1 + confidence) / 2), np.float64)

    def quantile(self, probability: float) -> Vector:
        return np.asarray(special.stdtrit(self.freedom, probability), np.float64)

    def detectable(self, level: float, power: float = 0.8) -> Vector:
        """The smallest true difference above a margin that a test at `level` finds so often."""
        steps = self.quantile(1 - level) + self.quantile(power)
        return np.asarray(self.error * steps, np.float64)


def compare(baseline: Ratio, candidate: Ratio, *, paired: bool = False) -> Difference:
    """`paired`: unit i is the same host on both sides, so that what a host has of its own cancels.

    Without pairs, the degrees of freedom are Welch's and Satterthwaite's.
    """
    estimate = candidate.value - baseline.value
    floor = baseline.floor + candidate.floor
    if paired:
        freedom = np.full(len(estimate), baseline.units - 1.0)
        return Difference(estimate, _variance(candidate, baseline), freedom, floor)
    a, b = _variance(baseline), _variance(candidate)
    spread = a**2 / max(baseline.units - 1, 1) + b**2 / max(candidate.units - 1, 1)
    least = max(min(baseline.units, candidate.units) - 1.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = np.where(spread > 0, (a + b) ** 2 / spread, least)
    return Difference(estimate, a + b, np.maximum(freedom, least), floor)


def parts(baseline: Ratio, candidate: Ratio) -> NDArray[np.float64]:
    """Those of each pair in the estimate, a row a host."""
    residuals = candidate.residuals() - baseline.residuals()
    return residuals + (candidate.value - baseline.value) / baseline.units


def _variance(ratio: Ratio, other: Ratio | None = None) -> Vector:
    """Of a ratio, or of its difference from one of the same hosts. In pieces: the units of 20,000
    functions do not fit into a processor's cache."""
    squares = np.zeros(ratio.x.shape[1])
    if ratio.units < 2:
        return squares
    width = max(_AT_ONCE // ratio.units, 1)
    for first in range(0, len(squares), width):
        functions = slice(first, first + width)
        residuals = ratio.residuals(functions)
        if other is not None:
            residuals -= other.residuals(functions)
        np.einsum("ij,ij->j", residuals, residuals, out=squares[functions])
    return ratio.units / (ratio.units - 1) * squares
