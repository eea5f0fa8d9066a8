from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.analysis.tree import depths, fold, levels, merge, paths, preorder, totals
from profiler.errors import UsageError
from profiler.model import CPU, Frame, Profile, ProfileType
from tests.builders import profile, stacks
from tests.profiler.strategies import profiles

SMALL = profile("a;b 3", "a;c;d 2", "a 1", "e;b 4")


def exact_stacks(profile: Profile) -> dict[tuple[Frame, ...], tuple[int, int]]:
    return {stack: (samples, value) for stack, samples, value in profile.stacks()}


def test_depths_count_the_frames_down_to_a_node() -> None:
    assert depths(SMALL.parents).tolist() == [0, 1, 2, 2, 3, 1, 2]


def test_levels_hold_every_node_once_by_depth() -> None:
    assert [row.tolist() for row in levels(SMALL.parents)] == [[0], [1, 5], [2, 3, 6], [4]]


def test_a_deep_stack_is_no_problem() -> None:
    deep = profile(";".join(f"f{depth}" for depth in range(4000)) + " 7")
    assert totals(deep, deep.samples).tolist() == [7] * 4001
    assert stacks(merge([deep, deep])) == {stack: 14 for stack in stacks(deep)}


def test_totals_hold_everything_below() -> None:
    assert totals(SMALL, SMALL.samples).tolist() == [10, 6, 3, 2, 2, 4, 4]


@given(profiles())
def test_children_never_add_up_to_more_than_their_parent(profile: Profile) -> None:
    total = totals(profile, profile.samples)
    below = np.zeros_like(total)
    np.add.at(below, profile.parents[1:], total[1:])
    assert (total == below + profile.samples).all()
    assert total[0] == profile.total_samples


def test_preorder_puts_siblings_by_the_keys_given() -> None:
    total = totals(SMALL, SMALL.samples)
    place = preorder(SMALL.parents, levels(SMALL.parents), -total)
    assert np.argsort(place.position).tolist() == [0, 1, 2, 3, 4, 5, 6]
    place = preorder(SMALL.parents, levels(SMALL.parents), total)
    assert np.argsort(place.position).tolist() == [0, 5, 6, 1, 3, 4, 2]


@given(profiles())
def test_a_subtree_is_an_interval_of_the_preorder(profile: Profile) -> None:
    place = preorder(profile.parents, levels(profile.parents))
    assert sorted(place.position) == list(range(len(profile.parents)))
    parents = profile.parents[1:]
    assert (place.position[1:] > place.position[parents]).all()
    assert (place.end[1:] <= place.end[parents]).all()


def test_fold_makes_siblings_of_equal_key_one_node() -> None:
    parents = np.array([-1, 0, 0, 1, 2, 2], np.int32)
    folded = fold(parents, np.array([-1, 7, 7, 8, 8, 9], np.int32))
    assert folded.parents.tolist() == [-1, 0, 1, 1]
    assert folded.keys.tolist() == [-1, 7, 8, 9]
    assert folded.add(np.array([0, 1, 2, 3, 4, 5])).tolist() == [0, 3, 7, 5]


def test_merge_adds_counts_of_equal_stacks() -> None:
    merged = merge([profile("main;f 3", "main 1"), profile("main;f 2", "main;g 5", " 4")])
    assert stacks(merged) == {
        ("main",): 1,
        ("main", "f"): 5,
        ("main", "g"): 5,
        (): 4,
    }


@given(st.lists(profiles(), max_size=4), st.randoms())
def test_merge_commutes_and_preserves_totals(
    parts: list[Profile],
    random: Random,
) -> None:
    merged = merge(parts)
    shuffled = parts.copy()
    random.shuffle(shuffled)
    assert exact_stacks(merge(shuffled)) == exact_stacks(merged)
    assert merged.total_samples == sum(part.total_samples for part in parts)
    assert merged.total_value == sum(part.total_value for part in parts)


@given(profiles(), profiles(), profiles())
def test_merge_is_associative(a: Profile, b: Profile, c: Profile) -> None:
    assert exact_stacks(merge([merge([a, b]), c])) == exact_stacks(merge([a, b, c]))


def test_merge_spans_the_windows_and_keeps_what_is_shared() -> None:
    merged = merge(
        [
            profile("a 1", start_ns=100, duration_ns=10, labels=(("h", "x"), ("s", "y"))),
            profile("a 1", start_ns=150, duration_ns=20, labels=(("h", "x"), ("s", "z"))),
            profile("a 1", labels=(("h", "x"),)),
        ]
    )
    assert (merged.start_ns, merged.duration_ns) == (100, 70)
    assert merged.labels == (("h", "x"),)
    assert merged.period == profile("a 1").period
    assert merge([profile("a 1"), profile("a 1", period=7)]).period == 0


def test_merge_of_nothing_is_empty() -> None:
    assert merge([]).total_samples == 0
    assert merge([]).type == CPU


def test_merge_refuses_different_types() -> None:
    faults = ProfileType("page_faults", "count")
    with pytest.raises(UsageError, match="page_faults"):
        merge([profile("a 1"), profile("a 1", type=faults)])


@given(profiles())
def test_paths_are_the_stacks(profile: Profile) -> None:
    found = {tuple(path): node for node, path in paths(profile, profile.frames)}
    assert set(found) == set(exact_stacks(profile))
    assert all(profile.stack(node) == path for path, node in found.items())


def test_merge_refuses_sums_beyond_64_bits() -> None:
    half = profile(f"a {2**62}", period=1)
    assert merge([half]).total_value == 2**62
    for parts in ([half, half], [half, half, half]):
        with pytest.raises(UsageError, match="more than 64 bits hold"):
            merge(parts)
