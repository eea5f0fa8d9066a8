"""Intervals hold what they say, where hosts differ and where they do not."""

import numpy as np
import pytest

from profiler.analysis import clusters


def test_of_two_clusters_nothing_is_known() -> None:
    found = clusters.shares(np.array([[1.0], [2.0]]), np.array([[10.0], [10.0]]))
    assert (found.share.tolist(), found.clusters.tolist()) == ([0.15], [2])
    assert (found.low.tolist(), found.high.tolist()) == ([0.0], [1.0])


def test_of_nothing_the_share_is_0_and_clusters_without_anything_are_none() -> None:
    x, n = np.zeros((4, 2)), np.array([[0.0, 10], [0, 10], [0, 10], [0, 0]])
    found = clusters.shares(x, n)
    assert found.share.tolist() == [0.0, 0.0]
    assert found.clusters.tolist() == [0, 3]
    assert found.high.tolist() == [1.0, 0.0]


@pytest.mark.parametrize(("hosts", "spread"), [(5, 0.0), (10, 0.3), (24, 0.3)])
def test_an_interval_holds_the_share_95_times_in_a_hundred(hosts: int, spread: float) -> None:
    """The share of each host is the fleet's by a factor; columns are repetitions."""
    random, share, repeated = np.random.default_rng(1), 0.1, 2000
    n = random.integers(500, 2000, (hosts, repeated))
    own = share * (1 + spread * random.normal(size=n.shape)).clip(0)
    found = clusters.shares(random.binomial(n, own).astype(float), n.astype(float))
    held = np.count_nonzero((found.low <= share) & (share <= found.high)) / repeated
    assert 0.92 <= held <= 0.975


def test_a_host_beside_the_others_is_odd_and_one_with_few_samples_is_not() -> None:
    n = np.array([10_000.0] * 10 + [20.0])
    x = 0.05 * n
    x[:10] += np.linspace(-30, 30, 10)
    x[3], x[10] = 900.0, 2.0
    z, median = clusters.robust_z(x, n, n)
    assert abs(median - 0.05) < 0.001
    assert np.flatnonzero(np.abs(z) > clusters.OUTLIER).tolist() == [3]


def test_of_no_hosts_none_is_odd() -> None:
    z, median = clusters.robust_z(*(np.zeros(0) for _ in range(3)))
    assert (len(z), median) == (0, 0.0)
