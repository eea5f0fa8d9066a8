"""Pages as the kernel searches them: the row that is found is the one that is in force."""

from bisect import bisect_right

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from collector.unwind import abi
from collector.unwind.tables import pages

WINDOW = 1 << abi.WINDOW_BITS
MOST = abi.PAGE_ROWS * abi.INDEX_SIZE


def last_not_above(words: NDArray[np.uint32], key: int) -> int:
    """The search of bpf/unwind_walk.h."""
    at, step = 0, len(words) // 2
    while step:
        at += step * int(words[at + step] <= key)
        step //= 2
    return at


def find(laid_out: bytes, place: int) -> int:
    key = place << 8 | abi.RULES_MAX
    index = np.frombuffer(laid_out, np.uint32, abi.INDEX_SIZE)
    number = 1 + last_not_above(index, key)
    page = np.frombuffer(laid_out, np.uint64, abi.PAGE_ROWS, number * abi.PAGE_BYTES)
    return int(page[last_not_above(page.astype(np.uint32), key)])


@given(st.integers(1, 3000), st.data())
def test_a_search_finds_the_last_row_that_is_not_behind(count: int, data: st.DataObject) -> None:
    step = data.draw(st.integers(1, WINDOW // count))
    places = [number * step for number in range(count)]
    rows = [abi.code(5, 8 * number) | place << 8 for number, place in enumerate(places)]
    laid_out = pages(np.array(rows, np.uint64))
    for place in data.draw(st.lists(st.integers(0, WINDOW - 1), max_size=20)):
        assert find(laid_out, place) == rows[bisect_right(places, place) - 1]


def test_a_full_table_is_searched_to_its_ends() -> None:
    laid_out = pages(np.arange(MOST, dtype=np.uint64) << np.uint64(8))
    assert len(laid_out) == (1 + abi.INDEX_SIZE) * abi.PAGE_BYTES
    for place in (0, 1, abi.PAGE_ROWS, 100_000, MOST - 1, MOST + 5):
        assert find(laid_out, place) == min(place, MOST - 1) << 8
