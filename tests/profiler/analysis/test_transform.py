"""Each step by example, and the laws: what keeps totals, and that trees and profiles agree."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.analysis import flamegraph, forest, transform
from profiler.analysis.transform import Transform
from profiler.errors import UsageError
from profiler.model import Frame, Kind, Profile, ProfileBuilder
from tests.builders import profile, stacks
from tests.profiler.analysis.test_flamegraph import paths
from tests.profiler.strategies import profiles

GIVEN = profile(
    "thread:a;main;poll;poll;read_[k] 3",
    "thread:b;main;poll;run;poll 2",
    "thread:b;main;run;read_[k] 1",
)


def transformed(given: Profile, **what: Any) -> dict[str, int]:
    found = stacks(transform.of_profile(given, replace(Transform(), **what)))
    return {";".join(names): count for names, count in found.items()}


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ({"focus": "^run$"}, {"b;main;poll;run;poll": 2, "b;main;run;read": 1}),
        ({"focus": "kind:kernel"}, {"a;main;poll;poll;read": 3, "b;main;run;read": 1}),
        (
            {"hide": "^(poll|read)$"},
            {"a;main": 3, "b;main;run": 3},
        ),
        (
            {"fold": "poll|read"},
            {"a;main;poll": 3, "b;main;poll;run;poll": 2, "b;main;run;read": 1},
        ),
        (
            {"recursion": True},
            {"a;main;poll;read": 3, "b;main;poll;run;poll": 2, "b;main;run;read": 1},
        ),
        (
            {"threads": True, "hide": "poll"},
            {"main;read": 3, "main;run": 2, "main;run;read": 1},
        ),
        ({"group": "kind"}, {"a;native;kernel": 3, "b;native": 2, "b;native;kernel": 1}),
        ({"group": "binary", "threads": True}, {"[no binary];[kernel]": 4, "[no binary]": 2}),
        ({"focus": "nothing"}, {}),
    ],
)
def test_each_step(what: dict[str, object], expected: dict[str, int]) -> None:
    assert transformed(GIVEN, **what) == expected


def test_lines_of_a_function_are_apart_where_they_are_grouped_by() -> None:
    builder = ProfileBuilder()
    builder.add([Frame("f", "a.c", 7, "bin", "id", 10)], 1)
    builder.add([Frame("f", "a.c", 9, "bin", "id", 20)], 2)
    builder.add([Frame("f", "a.c", 9, "bin", "id", 30, inlined=True)], 4)
    found = transform.of_profile(builder.build(), Transform(group="line"))
    assert {stack[0].file: samples for stack, samples, _ in found.stacks()} == {
        "a.c:7": 1,
        "a.c:9": 6,
    }
    assert transformed(builder.build(), group="file") == {"a.c": 7}


@pytest.mark.parametrize("expression", ["(", "x" * 1001, r"(?=a)", "kind:("])
def test_an_expression_with_a_mistake_is_refused(expression: str) -> None:
    with pytest.raises(UsageError, match="expression"):
        transform.of_profile(GIVEN, Transform(hide=expression))


expressions = st.sampled_from(["", "main|work", "^r", "a", ".", "binary:/bin", "kind:kernel"])
keeping = st.builds(
    Transform,
    hide=expressions,
    fold=expressions,
    threads=st.booleans(),
    recursion=st.booleans(),
    group=st.sampled_from(transform.GROUPS),
)


@given(profiles(), keeping)
def test_totals_are_kept(given: Profile, chosen: Transform) -> None:
    found = transform.of_profile(given, chosen)
    assert found.total_samples == given.total_samples
    assert found.total_value == given.total_value


@given(profiles(), expressions, keeping)
def test_a_focus_keeps_the_stacks_that_hold_a_match(
    given: Profile, expression: str, others: Transform
) -> None:
    focus = Transform(focus=expression)
    matching = dict(zip(given.frames, transform._matching(given.frames, expression), strict=True))
    expected = sum(
        samples
        for stack, samples, _ in given.stacks()
        if not expression or any(matching[frame] for frame in stack)
    )
    assert transform.of_profile(given, focus).total_samples == expected
    both = replace(others, focus=expression)
    assert transform.of_profile(given, both).total_samples == expected


@given(profiles(), keeping, expressions)
def test_trees_are_transformed_as_their_profile(
    given: Profile, chosen: Transform, focus: str
) -> None:
    both = replace(chosen, focus=focus, group="file" if chosen.group == "line" else chosen.group)
    of_trees = transform.of_forest(forest.of(given), both)
    assert paths(flamegraph.draw(of_trees)) == paths(
        flamegraph.build(transform.of_profile(given, both))
    )


@given(profiles(), keeping)
def test_to_do_it_again_changes_nothing(given: Profile, chosen: Transform) -> None:
    chosen = replace(chosen, group="function")
    once = transform.of_profile(given, chosen)
    assert stacks(transform.of_profile(once, chosen)) == stacks(once)


def test_threads_and_markers_are_no_group() -> None:
    given = profile("thread:a;[truncated: depth];main 1")
    assert transformed(given, group="file") == {"a;[truncated: depth];[no file]": 1}
    assert Kind.THREAD in {
        frame.kind for frame in transform.of_profile(given, Transform(group="file")).frames
    }
