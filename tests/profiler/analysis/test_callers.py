"""Both trees of a function against counting stack by stack."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from profiler.analysis import flamegraph, forest, top
from profiler.analysis.callers import Sandwich, sandwich
from profiler.model import Frame, Profile, ProfileBuilder
from tests.builders import profile
from tests.profiler.analysis.test_flamegraph import drawn, paths
from tests.profiler.analysis.test_forest import forest as several
from tests.profiler.strategies import profiles

Stack = tuple[str, ...]


def around(profile: Profile, function: str) -> Sandwich:
    return sandwich(forest.of(profile), function)


def test_callers_stand_upside_down_and_callees_as_they_were_called() -> None:
    found = around(profile("main;f;g 3", "main;h;f 1", "main;h;f;x 2", "main 5"), "f")
    assert drawn(flamegraph.draw(found.callers)) == [
        "all 0 6",
        "  f 0 6",
        "    h 0 3",
        "      main 3 3",
        "    main 3 3",
    ]
    assert drawn(flamegraph.draw(found.callees)) == [
        "all 0 6",
        "  f 1 6",
        "    g 3 3",
        "    x 2 2",
    ]


def test_a_function_that_calls_itself_is_among_its_callees_alone() -> None:
    found = around(profile("main;f;g;f 2", "main;f 1"), "f")
    assert drawn(flamegraph.draw(found.callers)) == ["all 0 3", "  f 0 3", "    main 3 3"]
    assert drawn(flamegraph.draw(found.callees)) == [
        "all 0 3",
        "  f 1 3",
        "    g 0 2",
        "      f 2 2",
    ]


def test_functions_of_one_name_are_told_apart_by_file_and_binary() -> None:
    builder = ProfileBuilder()
    for samples, (file, binary) in enumerate((("a.c", "x"), ("a.c", "y"), ("b.c", "y")), 1):
        builder.add([Frame("f", file, binary=binary)], samples, samples)
    trees = forest.of(builder.build())
    assert [cost.total_samples for cost in sandwich(trees, "f").functions] == [3, 2, 1]
    assert [cost.total_samples for cost in sandwich(trees, "f", "a.c").functions] == [2, 1]
    (one,) = sandwich(trees, "f", "a.c", "x").functions
    assert (one.binary, one.total_samples) == ("x", 1)


def test_of_a_function_that_is_not_there_both_trees_are_empty() -> None:
    found = around(profile("main 3"), "f")
    assert found.functions == []
    assert found.callers.total == found.callees.total == (0, 0)


@given(st.lists(profiles(), min_size=1, max_size=3), st.data())
def test_both_trees_are_those_counted_stack_by_stack(
    sent: list[Profile], data: st.DataObject
) -> None:
    trees = several(sent)
    names = sorted({key[0] for key in trees.keys}) or ["f"]
    name = data.draw(st.sampled_from(names))
    callers: Counter[Stack] = Counter()
    callees: Counter[Stack] = Counter()
    for one in sent:
        for stack, samples, _ in one.stacks():
            functions = [frame.function for frame in stack]
            if name in functions:
                place = functions.index(name)
                up = (*reversed(functions[: place + 1]),)
                callers.update({up[:n]: samples for n in range(len(up) + 1)})
                down = (*functions[place:],)
                callees.update({down[:n]: samples for n in range(len(down) + 1)})
    found = sandwich(trees, name)
    assert totals(found.callers) == +callers
    assert totals(found.callees) == +callees
    if len(found.functions) == 1:
        (cost,) = found.functions
        costs = top.functions(trees).functions
        assert cost in costs
        assert found.callers.total == (cost.total_value, cost.total_samples)


def totals(trees: forest.Forest) -> Counter[Stack]:
    """Samples by the names down to each node."""
    found: Counter[Stack] = Counter()
    for frames, (_, _, samples) in paths(flamegraph.draw(trees, 10**6)).items():
        found[tuple(frame.function for frame in frames)] += samples
    return +found
