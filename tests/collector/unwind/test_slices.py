"""Slices never overlap, and are never reused while a program may still read them."""

from hypothesis import given
from hypothesis import strategies as st

from collector.unwind.slices import Slices


def test_a_slice_is_not_reused_before_the_wait() -> None:
    waits: list[int] = []
    slices = Slices(4, lambda: waits.append(1))
    assert slices.take(3) == 0
    slices.give_back(0, 3)
    assert slices.take(1) == 3
    assert not waits
    assert slices.take(2) == 0
    assert waits == [1]


def test_neighbours_join() -> None:
    slices = Slices(6, lambda: None)
    for _ in range(3):
        slices.take(2)
    for first in (2, 0, 4):
        slices.give_back(first, 2)
    assert slices.take(6) == 0


def test_no_room_is_none() -> None:
    slices = Slices(4, lambda: None)
    assert slices.take(5) is None
    assert slices.take(4) == 0
    assert slices.take(1) is None


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 20)), max_size=200))
def test_what_is_taken_never_overlaps(steps: list[tuple[bool, int]]) -> None:
    slices = Slices(64, lambda: None)
    held: list[tuple[int, int]] = []
    for takes, number in steps:
        if takes:
            first = slices.take(number)
            if first is not None:
                held.append((first, number))
        elif held:
            slices.give_back(*held.pop(number % len(held)))
        cells = [cell for first, count in held for cell in range(first, first + count)]
        assert len(cells) == len(set(cells))
        assert all(0 <= cell < 64 for cell in cells)
