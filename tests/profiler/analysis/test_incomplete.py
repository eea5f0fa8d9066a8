"""What is missing of stacks is counted by cause, on all of them."""

from profiler.analysis import forest, incomplete
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
