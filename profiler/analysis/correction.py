"""What is significant among hundreds of functions that are tested at once.

>>> benjamini_hochberg(np.array([0.001, 0.02, 0.03, 0.9]), 0.05).tolist()
[True, True, True, False]
>>> holm(np.array([0.001, 0.02, 0.03, 0.9]), 0.05).tolist()
[True, False, False, False]
"""

from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from profiler.analysis.estimate import Vector

PERMUTATIONS = 499
"""So that the smallest p is 0.002; where there are fewer ways to divide the units, all of them."""

SEED = 7
"""Two runs on the same profiles give the same verdict."""


def benjamini_hochberg(p: Vector, level: float, tests: int = 0) -> NDArray[np.bool_]:
    """Rejections of which a part of `level` is false on average; if nothing differs at all, there
    is any with at most this probability (Benjamini and Hochberg, 1995; functions of one profile
    are dependent: Benjamini and Yekutieli, 2001, has when that holds). Where these are only some of
    so many `tests`, the others do not differ."""
    order = np.argsort(p, kind="stable")
    below = np.flatnonzero(p[order] <= level * np.arange(1, len(p) + 1) / max(len(p), tests, 1))
    rejected = np.zeros(len(p), bool)
    if len(below):
        rejected[order[: below[-1] + 1]] = True
    return rejected


def holm(p: Vector, level: float) -> NDArray[np.bool_]:
    """Rejections of which any is false with at most this probability, whatever depends on what."""
    order = np.argsort(p, kind="stable")
    above = np.flatnonzero(p[order] > level / np.arange(len(p), 0, -1))
    rejected = np.zeros(len(p), bool)
    rejected[order[: above[0] if len(above) else len(p)]] = True
    return rejected


def divisions(baseline: int, candidate: int) -> NDArray[np.float64]:
    """Ways to divide the units anew, a row each: 1 where a unit is of the candidate. The first is
    the one there is."""
    units = baseline + candidate
    if comb(units, candidate) <= PERMUTATIONS + 1:
        chosen = np.zeros((comb(units, candidate), units))
        for row, members in enumerate(combinations(range(units - 1, -1, -1), candidate)):
            chosen[row, list(members)] = 1
        return chosen
    actual = np.repeat([0.0, 1.0], [baseline, candidate])
    random = np.random.default_rng(SEED)
    others = random.permuted(np.tile(actual, (PERMUTATIONS, 1)), axis=1)
    return np.vstack([actual[None], others])


def swaps(pairs: int) -> NDArray[np.float64]:
    """Ways to swap the sides of some hosts, a row each: -1 where they are swapped."""
    if 2**pairs <= PERMUTATIONS + 1:
        rows = np.arange(2**pairs)[:, None] >> np.arange(pairs)
        return np.asarray(1.0 - 2 * (rows & 1), np.float64)
    signs = np.random.default_rng(SEED).integers(0, 2, (PERMUTATIONS, pairs))
    return np.asarray(1.0 - 2 * np.vstack([np.zeros(pairs), signs]), np.float64)


def max_t(x: NDArray[np.float64], n: Vector, candidate: NDArray[np.float64]) -> Vector:
    """How probable so large a t of any function is, for each function, by dividing the units anew.

    `x` and `n` are those of all units of both sides, `candidate` are `divisions`. The largest t of
    all functions has the dependence of functions in it (Westfall and Young, 1993).
    """
    x, n = x / n.mean(), n / n.mean()
    after = _sums(x, n, candidate)
    before = _sums(x, n, 1 - candidate)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (after[0] - before[0]) / np.sqrt(after[1] + before[1])
    return _beyond(np.nan_to_num(t, posinf=0.0, neginf=0.0))


def max_t_paired(parts: NDArray[np.float64], signs: NDArray[np.float64]) -> Vector:
    """The same for hosts that stand on both sides: `parts` are their differences, a row a host;
    `signs` are `swaps`."""
    units = len(parts)
    sums = signs @ parts
    squares = (parts**2).sum(axis=0) - sums**2 / units
    with np.errstate(divide="ignore", invalid="ignore"):
        t = sums / np.sqrt(squares * units / (units - 1))
    return _beyond(np.nan_to_num(t, posinf=0.0, neginf=0.0))


def _beyond(t: NDArray[np.float64]) -> Vector:
    """The part of all rows whose largest t is at least that of the first row, a function each."""
    largest = np.sort(t.max(axis=1))
    at_least = len(largest) - np.searchsorted(largest, t[0] - 1e-9)
    return np.asarray(at_least / len(largest), np.float64)


def _sums(
    x: NDArray[np.float64], n: Vector, chosen: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The ratio of each function in the chosen units of each row, and its variance.

    sum((x - n p)^2) = sum(x^2) - 2 p sum(x n) + p^2 sum(n^2), so that all rows are four products.
    """
    units, whole = chosen.sum(axis=1, keepdims=True), (chosen @ n)[:, None]
    p = (chosen @ x) / whole
    squares = chosen @ x**2 - 2 * p * (chosen @ (x * n[:, None])) + p**2 * (chosen @ n**2)[:, None]
    squares = np.maximum(squares, 1e-12 * p**2 * whole**2 / units)
    return p, units / (units - 1) * squares / whole**2
