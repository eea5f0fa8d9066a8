from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.analysis import gate, renamed, union
from profiler.analysis.diff import Change, Diff, functions
from profiler.analysis.gate import Outcome, Terms
from profiler.model import Profile
from tests.builders import profile
from tests.profiler.analysis.test_gate import side
from tests.profiler.strategies import profiles

MIRRORED = {Change.GROWN: Change.SHRUNK, Change.NEW: Change.VANISHED}
MIRRORED |= {after: before for before, after in MIRRORED.items()}


def compared(before: Sequence[Profile], after: Sequence[Profile]) -> Diff:
    return functions(renamed.union_of(before, after))


def changes(diff: Diff) -> dict[str, tuple[str, str]]:
    """Of self and total, by name, where either is more than noise."""
    return {row.key[0]: (row.selves.change, row.totals.change) for row in diff.changed()}


def test_what_is_new_and_what_vanished_are_said_so() -> None:
    found = compared(side("main;f 900", "main;g 900"), side("main;f 900", "main;h;k 900", seed=1))
    rows = {row.key[0]: row for row in found.rows}
    assert changes(found)["g"] == ("vanished", "vanished")
    assert changes(found)["h"] == ("noise", "new")
    assert rows["g"].selves.relative == -1
    assert rows["k"].selves.relative is None
    assert "f" not in changes(found)


def test_both_counts_and_an_interval_stand_beside_a_difference() -> None:
    (row, *_) = compared(side("main;f 500", "main;g 1500"), side("main;f 900", "main;g 1500")).rows
    assert row.selves.low < row.selves.difference < row.selves.high
    assert abs(row.selves.samples[0] - 3_000) < 200


def test_a_frame_of_another_name_in_the_same_place_is_renamed() -> None:
    before = side("main;parse;read 300", "main;parse 500", "main;work 900")
    after = side("main;decode;read 300", "main;decode 500", "main;work 900", seed=1)
    found = compared(before, after)
    assert changes(found) == {}
    (row,) = [row for row in found.rows if row.names]
    assert (row.key[0], row.names) == ("decode", ("parse", "decode"))


def test_a_function_that_took_the_place_of_another_but_costs_more_is_new() -> None:
    found = compared(
        side("main;parse 500", "main;work 900"), side("main;decode 900", "main;work 900", seed=1)
    )
    assert changes(found)["decode"] == ("new", "new")


def test_cost_that_moved_below_one_caller_is_told_apart_from_growth() -> None:
    rest = ("main;other 3000",)
    before = side("main;handle;a 600", "main;handle;b 600", *rest)
    found = compared(before, side("main;handle;a 900", "main;handle;b 300", *rest, seed=1))
    assert changes(found) == {"a": ("moved", "moved"), "b": ("moved", "moved")}
    assert {row.moved_in[0] for row in found.changed() if row.moved_in} == {"handle"}
    found = compared(before, side("main;handle;a 900", "main;handle;b 600", *rest, seed=1))
    assert changes(found)["a"] == ("grown", "grown")
    assert changes(found)["handle"] == ("noise", "grown")


def test_growth_by_request_is_no_move_within_a_program_that_starts_and_ends() -> None:
    """A little less to start the program is not what the program costs more."""
    before = side("sh;fork 60", "job;exec 120", "job;start;main 6000")
    after = side("sh;fork 100", "job;exec 80", "job;start;main 12000", seed=1)
    both = renamed.union_of(before, after)
    found = changes(functions(both, Terms(per="request", requests=(6, 6))))
    assert found["start"] == ("noise", "grown")
    assert found["main"] == ("grown", "grown")


def test_cost_by_request_that_moved_below_one_caller_is_told_apart_from_growth() -> None:
    before = side("main;handle;a 600", "main;handle;b 600", "main;other 3000")
    after = side("main;handle;a 900", "main;handle;b 300", "main;other 3000", seed=1)
    both = renamed.union_of(before, after)
    found = changes(functions(both, Terms(per="request", requests=(6, 6))))
    assert found == {"a": ("moved", "moved"), "b": ("moved", "moved")}


def test_a_subtree_that_moved_to_another_caller_did_not_grow() -> None:
    rest = ("main;other 3000",)
    before = side("main;handle;a;deep 900", "main;handle;b 600", *rest)
    after = side("main;handle;b;deep 900", "main;handle;b 600", *rest, seed=1)
    found = changes(compared(before, after))
    assert "deep" not in found
    assert found["b"] == ("noise", "moved")


def test_a_callee_that_was_inlined_moved_into_its_caller() -> None:
    before = side("main;f 300", "main;f;g 600", "main;other 3000")
    after = side("main;f 900", "main;other 3000", seed=1)
    found = compared(before, after)
    rows = {row.key[0]: row for row in found.rows}
    assert rows["f"].selves.change is Change.MOVED
    assert rows["f"].moved_in == rows["f"].key
    assert rows["g"].selves.change is Change.VANISHED


def test_growth_of_nearly_everything_is_growth() -> None:
    before = side("main;f 600", "main;g 600")
    assert changes(compared(before, side("main;f 1200", "main;g 600", seed=1)))["f"][0] == "grown"


def test_single_profiles_are_compared_by_sampling_alone() -> None:
    found = compared([profile("main;f 500", "main;g 500")], [profile("main;f 900", "main;g 500")])
    assert not found.clustered
    assert changes(found)["f"] == ("grown", "grown")
    near = compared([profile("main;f 500", "main;g 500")], [profile("main;f 530", "main;g 500")])
    assert changes(near) == {}


sides = st.lists(profiles(), min_size=1, max_size=5)


@given(sides)
def test_a_side_differs_from_itself_in_nothing(units: list[Profile]) -> None:
    assert changes(compared(units, units)) == {}
    both = union.of(units, units)
    assert gate.judge(both.sides, both.keys, Terms()).outcome is not Outcome.FAIL


@given(sides, sides)
def test_the_other_way_round_everything_is_the_opposite(
    before: list[Profile], after: list[Profile]
) -> None:
    there = functions(union.of(before, after))
    back = {row.key: row for row in functions(union.of(after, before)).rows}
    assert len(back) == len(there.rows)
    for row in there.rows:
        for one, other in ((row.selves, back[row.key].selves), (row.totals, back[row.key].totals)):
            assert np.isclose(one.difference, -other.difference)
            assert np.allclose((one.low, one.high), (-other.high, -other.low))
            assert MIRRORED.get(one.change, one.change) is other.change


def halved(unit: Profile) -> Profile:
    """Sampled at half the rate: half the samples, each worth twice as much."""
    return replace(unit, samples=unit.samples // 2, period=unit.period * 2)


@given(st.integers(0, 2**20), st.sampled_from([100, 300, 500, 800]))
@settings(max_examples=30)
def test_neither_half_the_rate_nor_twice_the_hosts_change_what_differs(seed: int, f: int) -> None:
    """Estimates do not change at all. What is significant may: fewer samples tell less and more
    hosts more. But nothing turns into its opposite, and what was plain stays so."""
    before = side("main;f 500", "main;g 2000", seed=seed)
    after = side(f"main;f {f}", "main;g 2000", seed=seed + 1)
    there = compared(before, after)
    for others in (
        compared(before, [halved(unit) for unit in after]),
        compared(before, after * 2),
        compared(before * 2, after),
    ):
        rows = {row.key: row for row in others.rows}
        for row in there.rows:
            assert np.isclose(row.selves.difference, rows[row.key].selves.difference)
            pair = {row.selves.change, rows[row.key].selves.change}
            assert len(pair - {Change.NOISE}) < 2
            if row.key[0] in "fg" and f != 500:
                assert len(pair) == 1


def test_what_only_became_a_smaller_part_of_more_is_noise() -> None:
    others = [f"main;other_{number} {1000 + 50 * number}" for number in range(15)]
    found = compared(side("main;slow 1000", *others), side("main;slow 4000", *others, seed=1))
    assert changes(found) == {"slow": ("grown", "grown")}
    swapped = compared(side("main;slow 4000", *others), side("main;slow 1000", *others, seed=1))
    assert changes(swapped) == {"slow": ("shrunk", "shrunk")}
