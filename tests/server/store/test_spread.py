"""How a window is spread over the buckets of a timeline."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from server.store.spread import Spread, Windows

Window = tuple[int, int, int, int]
"""Start, duration, samples, value."""


def windows(*given: Window, series: int = 1) -> Windows:
    columns = np.array(given, np.int64).reshape(-1, 4).T
    return Windows(1, np.full(len(given), series, np.int64), *columns)


def parts(times: range, *given: Window) -> list[tuple[int, int]]:
    spread = Spread(1, times)
    spread.add(np.zeros(len(given), np.intp), windows(*given))
    samples, values = spread.total().tolist()
    return list(zip(samples, values, strict=True))


def test_a_window_counts_in_each_bucket_by_its_part_in_it() -> None:
    times = range(0, 40, 10)
    assert parts(times, (5, 20, 100, 1000)) == [(25, 250), (50, 500), (25, 250), (0, 0)]


def test_what_lies_beyond_the_range_counts_in_the_last_bucket() -> None:
    assert parts(range(0, 20, 10), (5, 100, 256, 2560)) == [(12, 120), (244, 2440)]


def test_what_parts_of_samples_there_are_is_added_up_before_it_is_rounded() -> None:
    """Each alone would put its one sample into the second bucket."""
    assert [n for n, _ in parts(range(0, 20, 10), *[(5, 10, 1, 1)] * 3)] == [1, 2]


some = st.lists(
    st.tuples(
        st.integers(0, 99),
        st.integers(1, 200) | st.sampled_from([2**54, 2**62]),
        st.integers(0, 2**58),
        st.integers(0, 2**58),
    ),
    max_size=8,
)


@given(some, st.integers(1, 50))
def test_the_parts_of_windows_add_up_to_them(given: list[Window], step: int) -> None:
    found = parts(range(0, 100, step), *given)
    assert sum(samples for samples, _ in found) == sum(one[2] for one in given)
    assert sum(value for _, value in found) == sum(one[3] for one in given)
    assert all(samples >= 0 and value >= 0 for samples, value in found)


@given(some, st.integers(1, 50))
def test_what_is_counted_up_to_a_bucket_is_right_to_a_256th_of_each_window(
    given: list[Window], step: int
) -> None:
    times = range(0, 100, step)
    upto = np.cumsum([samples for samples, _ in parts(times, *given)], dtype=object)
    for bucket, counted in enumerate(upto[:-1]):
        exact = sum(
            Fraction(samples * min(max(times[bucket + 1] - t0, 0), duration), duration)
            for t0, duration, samples, _ in given
        )
        loose = sum(Fraction(one[2], 256) for one in given) + 1
        assert 0 <= exact - counted <= loose


@given(some, some, st.integers(1, 50), st.integers(1, 5))
def test_sums_are_the_same_in_whatever_steps_they_are_made(
    first: list[Window], second: list[Window], step: int, times_more: int
) -> None:
    """Minutes made of one half before the other one came, then added up to wider buckets."""
    fine, coarse = range(0, 100, step), range(0, 100, step * times_more)
    at_once = Spread(2, coarse)
    at_once.add(np.array([0] * len(first) + [1] * len(second), np.intp), windows(*first, *second))
    inside = [one for one in first if one[0] + one[1] <= len(fine) * step]
    beyond = [one for one in first if one[0] + one[1] > len(fine) * step]
    minutes = Spread(1, fine)
    minutes.add(np.zeros(len(inside), np.intp), windows(*inside))
    in_steps = Spread(2, coarse)
    in_steps.add(np.ones(len(second), np.intp), windows(*second))
    in_steps.add(np.zeros(len(beyond), np.intp), windows(*beyond))
    in_steps.add_sums(np.zeros(1, np.intp), np.array(fine) // coarse.step, minutes.sums)
    assert in_steps.numbers().tolist() == at_once.numbers().tolist()
