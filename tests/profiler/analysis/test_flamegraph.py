import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.analysis.flamegraph import Flamegraph, build
from profiler.errors import UsageError
from profiler.model import Frame, Profile, ProfileBuilder
from tests.builders import PERIOD_NS, profile
from tests.profiler.strategies import profiles


def drawn(graph: Flamegraph) -> list[str]:
    """The graph as indented lines: name, self and total in samples."""
    names = ["all" if frame < 0 else graph.frames[frame].function for frame in graph.frame]
    rows = zip(graph.depth, names, graph.self_values // PERIOD_NS, graph.samples, strict=True)
    return ["  " * depth + f"{name} {self} {total}" for depth, name, self, total in rows]


def test_children_follow_their_parent_by_total_then_by_name() -> None:
    assert drawn(build(profile("main;b;x 1", "main;a 2", "main;c 1", "main;b 2", "z 4"))) == [
        "all 0 10",
        "  main 0 6",
        "    b 2 3",
        "      x 1 1",
        "    a 2 2",
        "    c 1 1",
        "  z 4 4",
    ]


def test_frames_that_differ_only_in_place_are_one_node_shown_by_the_first() -> None:
    builder = ProfileBuilder()
    builder.add([Frame("f", "a.c", 7, "bin", "id", 10), Frame("g")], 1, 1)
    builder.add([Frame("f", "a.c", 9, "bin", "id", 20, inlined=True), Frame("g")], 2, 2)
    graph = build(builder.build())
    assert graph.samples.tolist() == [3, 3, 3]
    assert graph.frames == (Frame("f", "a.c", 7, "bin", "id", 10), Frame("g"))


def test_the_smallest_nodes_are_cut_and_stay_in_the_totals_of_their_parents() -> None:
    graph = build(profile("main;b;x 1", "main;a 2", "main;b 2", "z 4"), max_nodes=4)
    assert drawn(graph) == ["all 0 9", "  main 0 5", "    b 2 3", "  z 4 4"]
    assert graph.hidden_nodes == 2


def test_of_equal_totals_the_callers_stay() -> None:
    graph = build(profile("a;b;c;d 1"), max_nodes=3)
    assert drawn(graph) == ["all 0 1", "  a 0 1", "    b 0 1"]


def test_an_empty_profile_is_its_root() -> None:
    graph = build(profile())
    assert drawn(graph) == ["all 0 0"]
    assert (graph.frames, graph.hidden_nodes) == ((), 0)


def test_a_graph_without_nodes_is_refused() -> None:
    with pytest.raises(UsageError, match="max_nodes"):
        build(profile("a 1"), max_nodes=0)


@given(profiles(), st.integers(1, 40))
def test_totals_do_not_depend_on_the_number_of_nodes(profile: Profile, max_nodes: int) -> None:
    whole, cut = build(profile, 10**6), build(profile, max_nodes)
    assert len(cut.depth) == min(max_nodes, len(whole.depth))
    assert len(cut.depth) + cut.hidden_nodes == len(whole.depth)
    assert cut.totals[0] == profile.total_value
    assert cut.samples[0] == profile.total_samples
    rows = paths(whole)
    assert all(rows[path] == numbers for path, numbers in paths(cut).items())


def paths(graph: Flamegraph) -> dict[tuple[Frame, ...], tuple[int, int, int]]:
    """Self, total and samples by the frames down to each node; checks that it is a preorder."""
    found: dict[tuple[Frame, ...], tuple[int, int, int]] = {}
    path: list[Frame] = []
    for row, (depth, frame) in enumerate(zip(graph.depth, graph.frame, strict=True)):
        assert (depth == 0) == (row == 0) and depth <= len(path) + 1
        path[max(depth - 1, 0) :] = [graph.frames[frame]] if depth else []
        numbers = (graph.self_values[row], graph.totals[row], graph.samples[row])
        found[tuple(path)] = tuple(int(number) for number in numbers)  # type: ignore[assignment]
    return found
