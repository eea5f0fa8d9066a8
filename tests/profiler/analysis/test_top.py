from hypothesis import given

from profiler.analysis import forest, top
from profiler.analysis.top import FunctionCost
from profiler.model import Frame, Kind, Profile, ProfileBuilder
from tests.builders import PERIOD_NS, profile
from tests.profiler.strategies import profiles


def functions(profile: Profile) -> list[FunctionCost]:
    return top.functions(forest.of(profile)).functions


def costs(profile: Profile) -> dict[str, tuple[int, int]]:
    """Self and total samples by name."""
    return {cost.function: (cost.self_samples, cost.total_samples) for cost in functions(profile)}


def test_self_is_the_leaf_and_total_everything_below() -> None:
    assert costs(profile("main;f 3", "main;g;f 1", "main 2")) == {
        "f": (4, 4),
        "main": (2, 6),
        "g": (0, 1),
    }


def test_a_stack_counts_once_however_often_the_function_stands_in_it() -> None:
    assert costs(profile("f;g;f;f 5", "f;g 1", "g;f 2")) == {"f": (7, 8), "g": (1, 8)}


def test_the_most_expensive_function_comes_first() -> None:
    names = [cost.function for cost in functions(profile("a 1", "b 3", "c;d 2", "e;d 1"))]
    assert names == ["b", "d", "a", "c", "e"]


def test_values_stand_beside_samples() -> None:
    assert functions(profile("main 3")) == [
        FunctionCost("main", "", "", Kind.NATIVE, 3 * PERIOD_NS, 3 * PERIOD_NS, 3, 3)
    ]


def test_threads_are_no_functions_and_markers_are_shown() -> None:
    assert costs(profile("thread:worker;[truncated: depth];f 2", "thread:worker 1")) == {
        "[truncated: depth]": (0, 2),
        "f": (2, 2),
    }


def test_lines_and_addresses_are_one_function_and_files_are_two() -> None:
    builder = ProfileBuilder()
    builder.add([Frame("f", "a.c", 1, address=1)], 1, 1)
    builder.add([Frame("f", "a.c", 2, address=2, inlined=True)], 2, 2)
    builder.add([Frame("f", "b.c", 1)], 4, 4)
    assert [cost.self_samples for cost in functions(builder.build())] == [4, 3]


def test_a_limit_hides_the_cheapest_and_says_what_they_cost() -> None:
    trees = forest.of(profile("main;a 3", "main;b 2", "main;b;c 1"))
    shown = top.functions(trees, 1)
    assert [cost.function for cost in shown.functions] == ["a"]
    assert (shown.hidden, shown.hidden_self_samples) == (3, 3)
    assert shown.hidden_self_value == 3 * PERIOD_NS
    by_total = top.functions(trees, 2, by_total=True)
    assert [cost.function for cost in by_total.functions] == ["main", "a"]
    assert by_total.hidden_self_samples == 3


def test_of_nothing_there_are_no_functions() -> None:
    assert functions(profile()) == []
    assert functions(profile(" 3")) == []


@given(profiles())
def test_self_adds_up_to_the_total_of_all_stacks_with_frames(profile: Profile) -> None:
    found = functions(profile)
    assert sum(cost.self_samples for cost in found) == profile.samples[1:].sum()
    assert sum(cost.self_value for cost in found) == profile.values[1:].sum()


@given(profiles())
def test_totals_are_those_counted_stack_by_stack(profile: Profile) -> None:
    expected: dict[tuple[str, str, str, Kind], int] = {}
    for stack, samples, _ in profile.stacks():
        for key in {(frame.function, frame.file, frame.binary, frame.kind) for frame in stack}:
            expected[key] = expected.get(key, 0) + samples
    found = {
        (cost.function, cost.file, cost.binary, cost.kind): cost.total_samples
        for cost in functions(profile)
        if cost.total_samples
    }
    assert found == expected
