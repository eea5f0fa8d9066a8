"""Profiles that are built at once, and taken again and again."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from profiler.model import Frame, Profile, ProfileBuilder

Stacks = list[tuple[tuple[str, ...], int]]

stacks = st.lists(
    st.tuples(st.lists(st.sampled_from("abc"), max_size=4).map(tuple), st.integers(1, 9)),
    max_size=12,
)


def frames(stack: tuple[str, ...]) -> tuple[Frame, ...]:
    return tuple(Frame(name) for name in stack)


def counted(profile: Profile) -> dict[tuple[Frame, ...], tuple[int, int]]:
    return {stack: (samples, value) for stack, samples, value in profile.stacks()}


@given(st.lists(stacks, max_size=4))
def test_what_is_taken_is_what_was_counted_since_with_no_other_nodes(rounds: list[Stacks]) -> None:
    lasting = ProfileBuilder()
    for added in rounds:
        new, expected = ProfileBuilder(), Counter[tuple[str, ...]]()
        for stack, samples in added:
            lasting.add(frames(stack), samples, 10 * samples)
            new.add(frames(stack), samples, 10 * samples)
            expected[stack] += samples
        taken, built = lasting.take(), new.build()
        assert counted(taken) == {frames(s): (n, 10 * n) for s, n in expected.items()}
        assert (len(taken.parents), set(taken.frames)) == (len(built.parents), set(built.frames))
        assert all(taken.parents[1:] < range(1, len(taken.parents)))
