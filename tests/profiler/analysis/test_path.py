import numpy as np
import pytest
from hypothesis import given

from profiler.analysis import flamegraph, forest, path
from profiler.errors import UsageError
from profiler.model import ROOT, Profile
from tests.builders import profile, random_profile
from tests.profiler.strategies import profiles

TREES = forest.of(profile("main;run 1", "main;run;read 3", "main;parse 4", "idle 2"))


def test_a_part_has_the_subtree_and_the_way_to_it_with_the_sums_of_the_whole() -> None:
    found = path.part(TREES, path.name_of(TREES, ["main", "run"]))
    assert found and found.depth == 2
    graph = flamegraph.draw(found.trees)
    assert [frame.function for frame in graph.frames] == ["main", "run", "read"]
    assert graph.samples.tolist() == [10, 8, 4, 3]
    assert (graph.unsent // graph.totals[-1] * 3).tolist() == [0, 3, 0, 0]


def test_the_name_of_nothing_finds_nothing() -> None:
    assert path.part(TREES, "0" * 14) is None
    assert path.name_of(TREES, ["main", "idle"]) == ""


@pytest.mark.parametrize("name", ["", "0" * 13, "0" * 15, "A" * 14, "z" * 14, "é" * 14])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="no name of a path"):
        path.parsed(name)


def test_no_two_paths_of_a_large_tree_share_a_name() -> None:
    trees = forest.of(random_profile(50_000))
    (tree,) = trees.trees
    names = path.names_of(tree.shape, trees.frames.hashes)
    assert len(np.unique(names)) == len(names)
    assert len(np.unique(names & 0xFFFFFFFF)) > 0.999 * len(names)


@given(profiles())
def test_every_node_is_found_by_its_name(given: Profile) -> None:
    trees = forest.of(given)
    (tree,) = trees.trees
    names = path.names_of(tree.shape, trees.frames.hashes)
    for node in np.flatnonzero(tree.held)[1:].tolist():
        found = path.part(trees, path.written(int(names[node])))
        assert found and found.depth == tree.shape.depth[node]
        (part,) = found.trees.trees
        assert part.totals[ROOT] == tree.totals[ROOT]
        assert part.totals[found.depth] == tree.totals[node]
