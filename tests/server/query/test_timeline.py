"""How a window is spread over the buckets of a timeline."""

from hypothesis import given
from hypothesis import strategies as st

from server.query.timeline import spread
from server.store.totals import Window


def parts(window: Window, times: range) -> dict[int, tuple[int, int]]:
    return {part.number: (part.samples, part.value) for part in spread(window, times)}


def test_a_window_counts_in_each_bucket_by_its_part_in_it() -> None:
    assert parts(Window(5, 20, 100, 1000), range(0, 40, 10)) == {
        0: (25, 250),
        1: (50, 500),
        2: (25, 250),
    }


def test_what_lies_beyond_the_range_counts_in_the_last_bucket() -> None:
    assert parts(Window(5, 100, 10, 100), range(0, 20, 10)) == {0: (0, 5), 1: (10, 95)}


@given(
    st.integers(0, 99),
    st.integers(1, 200),
    st.integers(0, 2**63),
    st.integers(-(2**63), 2**63),
    st.integers(1, 50),
)
def test_the_parts_of_a_window_add_up_to_it(
    t0: int, duration: int, samples: int, value: int, step: int
) -> None:
    found = parts(Window(t0, duration, samples, value), range(0, 100, step))
    assert sum(part[0] for part in found.values()) == samples
    assert sum(part[1] for part in found.values()) == value
    assert all(part[0] >= 0 for part in found.values())
