"""What is missing of stacks is counted by cause, on all of them."""

import pytest

from profiler.analysis import forest, incomplete
from profiler.formats import folded
from tests.builders import profile


def test_samples_below_a_marker_are_counted_by_its_cause_most_first() -> None:
    stacks = profile("a;[truncated: depth];f 1", "a;[truncated: new process];f;g 4", "a;main 5")
    more = profile("b;[truncated: depth] 2", "b;main;f 1")
    assert incomplete.causes(forest.of(stacks)) == {"new process": 4, "depth": 1}
    assert list(incomplete.causes(forest.of(stacks))) == ["new process", "depth"]
    assert incomplete.causes(forest.of(more)) == {"depth": 2}


def test_whole_stacks_and_other_markers_are_not_counted() -> None:
    assert incomplete.causes(forest.of(profile("a;main 3", "a;[python by py-spy];f 2"))) == {}
    assert incomplete.causes(forest.of(profile())) == {}


def test_early_samples_are_taken_for_those_of_all_others() -> None:
    lines = ("a;[truncated: no unwind table];f;g 30", "a;main;f 40", "a;main;[truncated: depth] 20")
    kept, early = incomplete.without_early(profile(*lines, "a;[truncated: new process] 10"))
    assert early == pytest.approx(0.4)
    assert folded.dumps(kept) == b"a;main;[truncated: depth] 20\na;main;f 40\n"
    assert (kept.total_samples, kept.total_value) == (60, 100 * 10_000_000)


def test_a_profile_without_early_samples_or_of_nothing_else_stays_as_it_is() -> None:
    for one in (profile("a;main 3"), profile("a;[truncated: unknown code];f 3"), profile()):
        assert incomplete.without_early(one) == (one, 0.0)
