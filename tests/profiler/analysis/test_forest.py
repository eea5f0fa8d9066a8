"""Several trees are drawn as their merged profile would be."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from profiler.analysis import flamegraph, grouping, tree
from profiler.analysis.forest import Forest, Tree
from profiler.analysis.frames import FrameTable
from profiler.analysis.shape import alphabet, shape
from profiler.model import Frame, Profile
from tests.builders import profile
from tests.profiler.analysis.test_flamegraph import drawn, paths
from tests.profiler.strategies import profiles


def forest(profiles: Sequence[Profile]) -> Forest:
    """A tree each, their functions numbered together."""
    frames = tuple(dict.fromkeys(frame for one in profiles for frame in one.frames))
    keys, function_of = grouping.by_function(frames)
    numbers = dict(zip(frames, function_of.tolist(), strict=True))
    _, first = np.unique(function_of, return_index=True)
    ranks = alphabet(keys)
    trees = []
    for one in profiles:
        frame_numbers = np.array([*(numbers[frame] for frame in one.frames), -1], np.int32)
        folded = tree.fold(one.parents, frame_numbers[one.node_frames])
        made, order = shape(folded.parents, folded.keys, ranks)
        trees.append(Tree.of(made, folded.add(one.values)[order], folded.add(one.samples)[order]))
    shown: list[Frame] = [frames[number] for number in first.tolist()]
    return Forest(tuple(trees), keys, ranks, FrameTable(shown), profiles[0].type)


several = st.lists(profiles(), min_size=1, max_size=4)


@given(several)
def test_a_forest_is_drawn_as_the_profiles_merged(profiles: list[Profile]) -> None:
    whole = flamegraph.draw(forest(profiles), 10**6)
    assert paths(whole) == paths(flamegraph.build(tree.merge(profiles), 10**6))


@given(several, st.integers(1, 30))
def test_cutting_a_forest_leaves_the_largest_with_their_numbers(
    profiles: list[Profile], max_nodes: int
) -> None:
    whole = flamegraph.draw(forest(profiles), 10**6)
    cut = flamegraph.draw(forest(profiles), max_nodes)
    assert sorted(cut.totals)[::-1] == sorted(whole.totals)[::-1][:max_nodes]
    rows = paths(whole)
    assert all(rows[path] == numbers for path, numbers in paths(cut).items())


def test_nodes_that_trees_have_in_common_are_hidden_in_each() -> None:
    both = forest([profile("main;f 4", "main;g 1"), profile("main;f 3", "main;g 1", "main;h 1")])
    graph = flamegraph.draw(both, max_nodes=3)
    assert drawn(graph) == ["all 0 10", "  main 0 10", "    f 7 7"]
    assert graph.hidden_nodes == 3
