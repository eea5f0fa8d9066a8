"""speedscope: the JSON of https://www.speedscope.app, one sampled profile with weights.

    {"$schema": …, "shared": {"frames": [{"name": "main", "file": "a.c", "line": 3}]},
     "profiles": [{"type": "sampled", "name": "cpu", "unit": "nanoseconds",
                   "startValue": 0, "endValue": 30, "samples": [[0]], "weights": [30]}]}

Weights are in the unit of the profile's type; the number of samples has no place in the file.
Specification: https://github.com/jlfwong/speedscope/wiki/Importing-from-custom-sources
"""

import json
from typing import Any

from profiler.analysis import tree
from profiler.errors import FormatError
from profiler.formats import limits
from profiler.model import Frame, Profile, ProfileType

SCHEMA = "https://www.speedscope.app/file-format-schema.json"
UNITS = ("nanoseconds", "bytes")
"""Ours that speedscope can label; every other is its `none`, which we read as `count`."""

NANOSECONDS = {"seconds": 1_000_000_000, "milliseconds": 1_000_000, "microseconds": 1_000}
"""Its other units, read as nanoseconds; their weights are often fractions."""

Shown = tuple[str, str, int]
"""Name, file and line: what speedscope tells frames apart by."""


def dumps(profile: Profile) -> bytes:
    """The profile as JSON; equal profiles give equal bytes."""
    numbers: dict[Shown, int] = {}
    shown = [
        numbers.setdefault((frame.function, frame.file, frame.line), len(numbers))
        for frame in profile.frames
    ]
    values = profile.values.tolist()
    stacks = [(path, values[node]) for node, path in tree.paths(profile, shown)]
    document = {
        "$schema": SCHEMA,
        "exporter": "profiler",
        "name": profile.type.name,
        "activeProfileIndex": 0,
        "shared": {"frames": [_frame_object(frame) for frame in numbers]},
        "profiles": [
            {
                "type": "sampled",
                "name": profile.type.name,
                "unit": profile.type.unit if profile.type.unit in UNITS else "none",
                "startValue": 0,
                "endValue": profile.total_value,
                "samples": [path for path, _ in stacks],
                "weights": [value for _, value in stacks],
            }
        ],
    }
    return json.dumps(document, separators=(",", ":")).encode()


def loads(data: bytes) -> Profile:
    """The sum of the sampled profiles in a speedscope file, of the first one's name and unit.

    Its values are the weights, times in nanoseconds; its samples are these where the unit is
    none, else 0, for the file does not say. Raises FormatError, for `evented` profiles too.
    """
    limits.check_size(data)
    try:
        document = json.loads(data)
        frames = [_frame(entry) for entry in document["shared"]["frames"]]
        profiles = document["profiles"]
        types = [_type(entry) for entry in profiles]
        builder = limits.BoundedBuilder()
        for entry in profiles:
            _add(builder, entry, frames)
    except KeyError as error:
        raise FormatError(f"not a speedscope file: {error} is missing") from None
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise FormatError(f"not a speedscope file: {error}") from None
    if not types:
        raise FormatError("a speedscope file without profiles")
    if len({type.unit for type in types}) > 1:
        raise FormatError("a speedscope file whose profiles differ in their units")
    return builder.build(types[0])


def _add(builder: limits.BoundedBuilder, entry: dict[str, Any], frames: list[Frame]) -> None:
    counts = _type(entry).unit == "count"
    scale = NANOSECONDS.get(entry["unit"], 0)
    for stack, weight in zip(entry["samples"], entry["weights"], strict=True):
        value = round(weight * scale) if scale else _integer(weight, "a weight")
        path = [_at(frames, number) for number in stack]
        builder.add_bounded(path, value if counts else 0, value)


def _type(entry: dict[str, Any]) -> ProfileType:
    if entry["type"] != "sampled":
        raise FormatError(f"a speedscope profile of the type {entry['type']!r}, not sampled")
    unit = _text(entry["unit"])
    unit = "nanoseconds" if unit in NANOSECONDS else "count" if unit == "none" else unit
    return ProfileType(_text(entry["name"]), unit)


def _frame(entry: dict[str, Any]) -> Frame:
    line = _integer(entry.get("line") or 0, "a line")
    return Frame(_text(entry["name"]), _text(entry.get("file") or ""), max(line, 0))


def _frame_object(shown: Shown) -> dict[str, str | int]:
    name, file, line = shown
    entry: dict[str, str | int] = {"name": name}
    if file:
        entry["file"] = file
    if line:
        entry["line"] = line
    return entry


def _at(frames: list[Frame], number: object) -> Frame:
    index = _integer(number, "a frame's number")
    if not 0 <= index < len(frames):
        raise FormatError(f"frame {index} of {len(frames)}")
    return frames[index]


def _integer(value: object, what: str) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise FormatError(f"{what} that is not a whole number: {value!r:.40}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise FormatError(f"text expected, got {value!r:.40}")
    return value
