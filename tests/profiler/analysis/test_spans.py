"""Two weeks differ by more than noise where they do, though days are like the day before."""

import numpy as np
import pytest
from scipy import signal

from profiler.analysis import spans
from profiler.analysis.estimate import Ratio

FUNCTIONS, DAYS, PAIRS = 20, 7, 200
ALL = np.ones(FUNCTIONS, bool)


def weeks(random: np.random.Generator, alike: float, grown: float = 0.0) -> tuple[Ratio, Ratio]:
    noise = random.normal(0, np.sqrt(1 - alike**2), (2 * DAYS + 50, FUNCTIONS))
    days = 100 + signal.lfilter([1], [1, -alike], noise, axis=0)[50:]
    days[DAYS:, 0] += grown
    whole = np.full(DAYS, 10_000.0)
    return Ratio.of(days[:DAYS], whole), Ratio.of(days[DAYS:], whole)


# At 5 %, 200 pairs have more than 20 with a probability of 0.1 %.
@pytest.mark.parametrize(("alike", "of_hosts"), [(0.0, 20), (0.6, 60)])
def test_weeks_that_do_not_differ_have_a_mover_as_rarely_as_asked(
    alike: float, of_hosts: int
) -> None:
    random = np.random.default_rng(5)
    pairs = [weeks(random, alike) for _ in range(PAIRS)]
    found = [spans.moved(spans.compare(*pair), ALL, FUNCTIONS, 0.05).any() for pair in pairs]
    assert sum(found) <= 20
    independent = [spans.moved(spans.of_hosts(*one), ALL, FUNCTIONS, 0.05).any() for one in pairs]
    assert (sum(independent) > of_hosts) == (alike > 0)


def test_what_moved_is_found_among_many_and_fewer_samples_than_enough_are_not() -> None:
    before, now = weeks(np.random.default_rng(6), 0.3, grown=8.0)
    difference = spans.compare(before, now)
    assert np.flatnonzero(spans.moved(difference, ALL, 1000, 0.05)).tolist() == [0]
    assert not spans.moved(difference, ALL, 10**9, 0.05).any()
    assert not spans.moved(difference, np.arange(FUNCTIONS) > 0, 1000, 0.05).any()


def test_a_difference_varies_at_least_as_sampling_does() -> None:
    same = Ratio.of(np.full((3, 1), 10.0), np.full(3, 100.0), np.array([0.004]))
    assert spans.compare(same, same).variance == pytest.approx([0.008])
