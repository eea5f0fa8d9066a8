"""How sure a share is, where samples come in clusters: those of one host or hour are alike.

A share is a ratio of sums, p = sum(x) / sum(n), and its variance over H clusters that of what each
of them is off by (Cochran, Sampling Techniques, 3rd edition, 6.3 and 9A):

    H / (H - 1) * sum((x - n p)^2) / sum(n)^2

>>> shares(np.array([[9.0], [10.0], [11.0]]), np.array([[100.0], [100.0], [100.0]])).half.round(3)
array([0.025])
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Vector = NDArray[np.float64]
Table = NDArray[np.float64]
"""A row a cluster, a column a share."""

LEAST_CLUSTERS = 3
"""Of fewer, nobody knows how much they differ."""

CONFIDENCE = 0.95

SCALED_MAD = 1.4826
"""The median deviation of a normal distribution is its standard deviation by this."""

OUTLIER = 3.5
"""Robust z: Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993."""


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """`half` the width of the interval, infinite where there are too few `clusters`."""

    share: Vector
    half: Vector
    clusters: NDArray[np.int64]

    @property
    def low(self) -> Vector:
        return np.maximum(self.share - self.half, 0.0)

    @property
    def high(self) -> Vector:
        return np.minimum(self.share + self.half, 1.0)


def shares(x: Table, n: Table) -> Shares:
    """Of each column; clusters without anything are none."""
    whole = n.sum(axis=0)
    share = np.divide(x.sum(axis=0), whole, out=np.zeros(len(whole)), where=whole > 0)
    clusters = np.count_nonzero(n, axis=0)
    squares = ((x - n * share) ** 2).sum(axis=0)
    known = (clusters >= LEAST_CLUSTERS) & (whole > 0)
    half = np.full(len(whole), np.inf)
    count = clusters[known]
    error = np.sqrt(count / (count - 1) * squares[known]) / whole[known]
    half[known] = error * special.stdtrit(count - 1.0, (1 + CONFIDENCE) / 2)
    return Shares(share, half, clusters)


def robust_z(x: Vector, n: Vector, samples: Vector) -> tuple[Vector, float]:
    """How far each cluster's share is from the median, in deviations of the clusters and of its own
    samples together, so that a host with few samples is none of the odd ones; and the median."""
    share = np.divide(x, n, out=np.zeros(len(n)), where=n > 0)
    median = float(np.median(share)) if len(share) else 0.0
    spread = SCALED_MAD * np.median(np.abs(share - median)) if len(share) else 0.0
    own = np.maximum(median * (1 - median), 1 / np.maximum(samples, 1)) / np.maximum(samples, 1)
    z: Vector = (share - median) / np.sqrt(spread**2 + own)
    return z, median
