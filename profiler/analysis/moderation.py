"""The variance of each function, steadied by that of all others.

Ten hosts tell the variance of one function badly, and a t that allows for that must be large among
hundreds of functions. But there are hundreds of variances, and they are alike: that of sampling is
known, and above it the shares of functions vary from host to host by a similar part of themselves.
So the variance of a function is expected, how far functions stray from that is measured, and the
less they do the more the expectation counts, as degrees of freedom beside those of the hosts
(Smyth, Statistical Applications in Genetics and Molecular Biology 3(1), 2004, with this
expectation in place of a constant). No function gets less than what was seen of itself: some vary
ten times as much as others.

A function of 1.9 % that got slower by a half is found at 10 hosts x 2,000 samples 9 times of 10
instead of 2 times of 3, and alarms come no more often where nothing changed (`make bench-gate`).
"""

import numpy as np
from scipy import special

from profiler.analysis.estimate import Difference, Vector

MIN_FUNCTIONS = 10
"""Of fewer, how far variances stray cannot be told, and each stands for itself."""

MOST = 100.0
"""Degrees of freedom that an expectation can have: a t of 100 is a normal distribution."""


def moderate(difference: Difference, scale: Vector) -> Difference:
    """The difference with its variance and degrees of freedom by those of all functions.

    `scale` is the variance, but for a factor that all have in common, by which hosts would differ
    if each host's cost of a function varied by the same part of itself.
    """
    seen, sampling = difference.variance, difference.floor
    usable = (seen > 0) & (sampling > 0)
    if np.count_nonzero(usable) < MIN_FUNCTIONS:
        return difference.with_variance(np.maximum(seen, sampling), difference.freedom)
    weight = 1 / sampling[usable]
    beyond = ((seen - sampling)[usable] * weight).sum() / (scale[usable] * weight).sum()
    expected = sampling + max(0.0, float(beyond)) * scale
    freedom = difference.freedom
    factor, prior = _fit(seen[usable] / expected[usable], freedom[usable])
    between = (prior * factor * expected + freedom * seen) / (prior + freedom)
    return difference.with_variance(np.maximum.reduce([between, seen, sampling]), freedom + prior)


def _fit(ratios: Vector, freedom: Vector) -> tuple[float, float]:
    """By what expected variances are to be multiplied, and their degrees of freedom: ratios of a
    variance seen to one expected are distributed like F, of whose logarithm mean and variance are
    known (Smyth, section 6.2)."""
    logs = np.log(ratios) - special.digamma(freedom / 2) + np.log(freedom / 2)
    different, counts = np.unique(freedom, return_counts=True)  # one, where hosts are pairs
    expected = np.average(special.polygamma(1, different / 2), weights=counts)
    spread = float(logs.var(ddof=1) - expected)
    half = _inverse_trigamma(spread) if spread > 0 else MOST
    half = min(half, MOST / 2)
    return float(np.exp(logs.mean() + special.digamma(half) - np.log(half))), 2 * half


def _inverse_trigamma(y: float) -> float:
    """By Newton's steps on 1 / trigamma, which is nearly a line (Smyth, appendix)."""
    x = 0.5 + 1 / y
    for _ in range(20):
        trigamma = float(special.polygamma(1, x))
        x += trigamma * (1 - trigamma / y) / float(special.polygamma(2, x))
    return x
