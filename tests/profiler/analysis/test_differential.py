import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.analysis import differential, union
from profiler.analysis.differential import CHANGES, DifferentialGraph
from profiler.analysis.grouping import FunctionKey
from profiler.errors import UsageError
from profiler.model import Profile
from tests.builders import profile
from tests.profiler.strategies import profiles


def draw(*sides: list[Profile], max_nodes: int = 20_000) -> DifferentialGraph:
    return differential.draw(union.of(sides[0], sides[1]), max_nodes=max_nodes)


def changes(graph: DifferentialGraph) -> dict[str, str]:
    """The change of each function's last node."""
    names = [graph.keys[key][0] for key in graph.key[1:].tolist()]
    found = [str(CHANGES[change]) for change in graph.change[1:].tolist()]
    return dict(zip(names, found, strict=True))


def runs(*lines: str) -> list[Profile]:
    """Five, in which counts differ by 1 %."""
    found = []
    for part in (0.99, 0.995, 1.0, 1.005, 1.01):
        scaled = [line.rpartition(" ") for line in lines]
        found.append(profile(*(f"{stack} {round(int(n) * part)}" for stack, _, n in scaled)))
    return found


def test_what_was_added_vanished_grew_and_shrank_is_told_from_noise() -> None:
    before = runs("main;same 10000", "main;grows 2000", "main;shrinks 3000", "main;gone 1000")
    after = runs("main;same 10000", "main;grows 3000", "main;shrinks 2000", "main;new 1000")
    assert changes(draw(before, after)) == {
        "main": "noise",
        "same": "noise",
        "grows": "grown",
        "shrinks": "shrunk",
        "gone": "vanished",
        "new": "new",
    }


def test_the_widest_sibling_of_both_sides_together_comes_first() -> None:
    graph = draw([profile("a 1", "b 8", "c 4")], [profile("a 10", "b 1", "c 1")])
    assert [graph.keys[key][0] for key in graph.key[1:].tolist()] == ["a", "b", "c"]
    assert graph.totals[:, 0].tolist() == [13 * 10**7, 12 * 10**7]


def test_a_function_may_grow_below_one_caller_and_shrink_below_another() -> None:
    before = runs("a;f 3000", "b;f 3000", "c 20000")
    after = runs("a;f 5000", "b;f 1000", "c 20000")
    graph = draw(before, after)
    found = {
        tuple(graph.keys[key][0] for key in path): str(CHANGES[change])
        for path, change in zip(paths(graph), graph.change.tolist(), strict=True)
    }
    assert found[("a", "f")] == "grown"
    assert found[("b", "f")] == "shrunk"


def paths(graph: DifferentialGraph) -> list[list[int]]:
    path: list[int] = []
    found = []
    for depth, key in zip(graph.depth.tolist(), graph.key.tolist(), strict=True):
        path[max(depth - 1, 0) :] = [key] if depth else []
        found.append(list(path))
    return found


def functions(graph: DifferentialGraph) -> list[FunctionKey]:
    return [graph.keys[key] for key in graph.key[1:].tolist()]


sides = st.lists(profiles(), min_size=1, max_size=3)


@settings(max_examples=30)
@given(sides, sides)
def test_both_sides_swapped_are_the_same_graph_swapped(a: list[Profile], b: list[Profile]) -> None:
    one, other = draw(a, b), draw(b, a)
    assert np.array_equal(one.totals, other.totals[::-1])
    assert np.array_equal(one.selves, other.selves[::-1])
    assert functions(one) == functions(other)


@settings(max_examples=30)
@given(sides, sides)
def test_totals_hold_what_is_below_and_nothing_is_lost(a: list[Profile], b: list[Profile]) -> None:
    graph = draw(a, b)
    assert graph.totals[:, 0].tolist() == [
        sum(unit.total_value for unit in units) for units in (a, b)
    ]
    assert graph.selves.sum(axis=1).tolist() == graph.totals[:, 0].tolist()
    assert graph.hidden_nodes == 0


@settings(max_examples=30)
@given(sides)
def test_a_side_differs_from_itself_in_nothing(a: list[Profile]) -> None:
    assert {str(CHANGES[change]) for change in draw(a, a).change.tolist()} == {"noise"}


@settings(max_examples=30)
@given(sides, sides, st.integers(1, 8))
def test_a_limit_keeps_the_widest_with_their_parents(
    a: list[Profile], b: list[Profile], most: int
) -> None:
    whole, cut = draw(a, b), draw(a, b, max_nodes=most)
    assert 1 <= len(cut.depth) <= max(most, 1)
    assert cut.hidden_nodes == len(whole.depth) - len(cut.depth)
    assert cut.depth[0] == 0 and (np.diff(cut.depth) <= 1).all()
    assert cut.totals[:, 0].tolist() == whole.totals[:, 0].tolist()


def test_no_nodes_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 1, got 0"):
        draw([profile("a 1")], [profile("a 1")], max_nodes=0)
