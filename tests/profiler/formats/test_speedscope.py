import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.errors import FormatError
from profiler.formats import speedscope
from profiler.model import Frame, Profile, ProfileBuilder, ProfileType
from tests.builders import PERIOD_NS, profile, stacks
from tests.profiler.strategies import profiles


def by_place(profile: Profile) -> dict[tuple[tuple[str, str, int], ...], int]:
    """The value of each stack, by what speedscope tells frames apart by."""
    values: dict[tuple[tuple[str, str, int], ...], int] = {}
    for stack, _, value in profile.stacks():
        places = tuple((frame.function, frame.file, frame.line) for frame in stack)
        values[places] = values.get(places, 0) + value
    return values


def test_the_file_is_the_documented_one() -> None:
    builder = ProfileBuilder()
    builder.add([Frame("main", "a.c", 3), Frame("f")], 3, 30)
    builder.add([Frame("main", "a.c", 3)], 1, 10)
    assert json.loads(speedscope.dumps(builder.build())) == {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "exporter": "profiler",
        "name": "cpu",
        "activeProfileIndex": 0,
        "shared": {"frames": [{"name": "main", "file": "a.c", "line": 3}, {"name": "f"}]},
        "profiles": [
            {
                "type": "sampled",
                "name": "cpu",
                "unit": "nanoseconds",
                "startValue": 0,
                "endValue": 40,
                "samples": [[0], [0, 1]],
                "weights": [10, 30],
            }
        ],
    }


@given(profiles())
def test_what_is_written_is_read_back(profile: Profile) -> None:
    again = speedscope.loads(speedscope.dumps(profile))
    assert by_place(again) == by_place(profile)
    assert again.type == profile.type
    assert again.total_samples == 0


def test_counts_are_samples_as_well() -> None:
    faults = profile("main 3", type=ProfileType("page_faults", "count"), period=1)
    again = speedscope.loads(speedscope.dumps(faults))
    assert (again.type, stacks(again)) == (faults.type, {("main",): 3})


def document(**changes: Any) -> dict[str, Any]:
    entry = {"type": "sampled", "name": "t", "unit": "none", "samples": [[0]], "weights": [2]}
    return {"shared": {"frames": [{"name": "main"}]}, "profiles": [entry | changes]}


def test_times_are_read_as_nanoseconds() -> None:
    data = json.dumps(document(unit="milliseconds", weights=[0.25]))
    assert speedscope.loads(data.encode()).total_value == PERIOD_NS // 40


def test_profiles_of_several_threads_are_added() -> None:
    both = document()
    both["profiles"] *= 2
    assert stacks(speedscope.loads(json.dumps(both).encode())) == {("main",): 4}


def evented(*events: tuple[str, int, float]) -> dict[str, Any]:
    """A file whose one profile opens (O) and closes (C) frames at milliseconds."""
    content = [{"type": type, "frame": frame, "at": at} for type, frame, at in events]
    return {
        "shared": {"frames": [{"name": "main"}, {"name": "f"}]},
        "profiles": [{"type": "evented", "name": "t", "unit": "milliseconds", "events": content}],
    }


def test_the_times_between_events_are_the_weights_of_the_stacks_that_are_open() -> None:
    file = evented(("O", 0, 1), ("O", 1, 3.5), ("C", 1, 4), ("O", 1, 4), ("C", 1, 6), ("C", 0, 9))
    read = speedscope.loads(json.dumps(file).encode())
    found = {names: value for names, value in names_and_values(read)}
    assert found == {("main",): 5_500_000, ("main", "f"): 2_500_000}
    assert read.type == ProfileType("t", "nanoseconds")


def names_and_values(profile: Profile) -> list[tuple[tuple[str, ...], int]]:
    return [
        (tuple(frame.function for frame in stack), value) for stack, _, value in profile.stacks()
    ]


def test_profiles_of_several_names_are_told_apart_where_all_are_asked_for() -> None:
    both = document()
    both["profiles"] = [both["profiles"][0] | {"name": name} for name in ("a", "b", "a")]
    found = speedscope.loads_all(json.dumps(both).encode())
    assert [(profile.type.name, profile.total_value) for profile in found] == [("a", 4), ("b", 2)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", "not a speedscope file: Expecting"),
        ("[]", "not a speedscope file: list indices"),
        ("{}", "not a speedscope file: 'shared' is missing"),
        ("[" * 100_000, "not a speedscope file"),
        (document(type="graph"), "of the type 'graph'"),
        (document(type="evented"), "not a speedscope file: 'events' is missing"),
        (evented(("C", 0, 1)), "a frame is closed at 1 that was not opened last"),
        (evented(("O", 0, 1), ("O", 0, 2), ("C", 1, 3)), "closed at 3 that was not"),
        (evented(("O", 0, 5), ("C", 0, 4)), "an event at 4, before the one that it follows"),
        (evented(("O", 0, 5)), "1 frames are not closed at the end"),
        (evented(*[("O", 0, 5)] * 5000), "a stack of more than 4,096 frames"),
        (document(samples=[[1]]), "frame 1 of 1"),
        (document(samples=[[-1]]), "frame -1 of 1"),
        (document(samples=[[True]]), "a frame's number that is not a whole number: True"),
        (document(weights=[1.5]), "a weight that is not a whole number: 1.5"),
        (document(weights=[-1]), "a negative count, -1"),
        (document(weights=[]), "not a speedscope file: zip"),
        (document(weights=[1e12], unit="seconds"), "counts that add up to more than"),
        (document(weights=[float("inf")], unit="seconds"), "not a speedscope file"),
        (document(weights=["1"]), "a weight that is not a whole number: '1'"),
        (document(name=3), "text expected, got 3"),
        (document() | {"profiles": []}, "without profiles"),
        (
            {"shared": {"frames": []}, "profiles": [
                {"type": "sampled", "name": "t", "unit": unit, "samples": [], "weights": []}
                for unit in ("none", "bytes")
            ]},
            "differ in their units",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(content: object, expected: str) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    with pytest.raises(FormatError, match=expected):
        speedscope.loads(text.encode())


@given(st.recursive(st.none() | st.integers() | st.text(max_size=3), lambda inner: (
    st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["shared", "frames", "profiles", "name", "type"]), inner)
)))  # fmt: skip
def test_any_json_is_a_profile_or_a_format_error(value: object) -> None:
    try:
        speedscope.loads(json.dumps(value).encode())
    except FormatError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("weight", ["ab", [1], None, True, float("nan")])
def test_only_numbers_are_multiplied(weight: object) -> None:
    """A text times the nanoseconds of a second is a gigabyte."""
    for changes in ({"weights": [weight]}, evented(("O", 0, 0))["profiles"][0]):
        file = document(**{"unit": "seconds", **changes})
        if "events" in changes:
            file["profiles"][0]["events"][0]["at"] = weight
        with pytest.raises(FormatError, match=r"number|not a speedscope file"):
            speedscope.loads(json.dumps(file).encode())


def test_names_and_lines_that_no_other_format_can_hold_are_made_such() -> None:
    file = document(name="t\ud800")
    file["shared"]["frames"] = [{"name": "a\udc80", "line": 10**30}]
    found = speedscope.loads(json.dumps(file).encode())
    assert (found.type.name, found.frames) == ("t\\ud800", (Frame("a\\udc80"),))
