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


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", "not a speedscope file: Expecting"),
        ("[]", "not a speedscope file: list indices"),
        ("{}", "not a speedscope file: 'shared' is missing"),
        ("[" * 100_000, "not a speedscope file"),
        (document(type="evented"), "of the type 'evented', not sampled"),
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
