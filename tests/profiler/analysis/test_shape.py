"""Numbers are sorted the same way whether or not they fit into 16 bits."""

import numpy as np
import pytest

from profiler.analysis.shape import numbered, sorting


@pytest.mark.parametrize("largest", [2**15 - 1, 2**15, 2**16 + 1])
def test_equal_numbers_stay_as_they_stand(largest: int) -> None:
    numbers = np.array([largest, -1, 5, largest, 5, 0, 2**14, -1], np.int32)
    expected = sorted(range(len(numbers)), key=lambda place: numbers[place])
    assert sorting(numbers).tolist() == expected


def test_functions_are_numbered_in_their_order_and_the_root_stays() -> None:
    used, number = numbered(np.array([-1, 7, 2, 7], np.int32), 9)
    assert used.tolist() == [2, 7]
    assert number[[-1, 7, 2, 7]].tolist() == [-1, 1, 0, 1]
