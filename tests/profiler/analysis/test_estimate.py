"""The difference of each function, however many are computed beside it."""

import numpy as np

from profiler.analysis.estimate import _AT_ONCE, Ratio, compare

UNITS = 20


def ratio(seed: int, functions: int) -> Ratio:
    choose = np.random.default_rng(seed)
    return Ratio.of(
        choose.poisson(50, (UNITS, functions)).astype(np.float64), choose.uniform(900, 1100, UNITS)
    )


def test_a_difference_is_the_same_whatever_else_is_compared() -> None:
    many = 2 * _AT_ONCE // UNITS + 7
    before, after = ratio(1, many), ratio(2, many)
    for paired in (True, False):
        found = compare(before, after, paired=paired)
        for function in (0, _AT_ONCE // UNITS, many - 1):
            alone = [Ratio.of(side.x[:, [function]], side.n) for side in (before, after)]
            one = compare(*alone, paired=paired)
            np.testing.assert_allclose(found.variance[function], one.variance[0], rtol=1e-12)
            np.testing.assert_allclose(found.freedom[function], one.freedom[0], rtol=1e-12)


def test_what_is_diluted_is_as_if_all_costs_were() -> None:
    before, after = ratio(1, 30), ratio(2, 30)
    for paired in (True, False):
        diluted = compare(before.diluted(0.8), after, paired=paired)
        scaled = compare(before.scaled(0.8), after, paired=paired)
        np.testing.assert_allclose(diluted.estimate, scaled.estimate, rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(diluted.variance, scaled.variance, rtol=1e-9)
