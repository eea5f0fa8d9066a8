"""speedscope: the JSON of https://www.speedscope.app, one sampled profile with weights.

    {"$schema": …, "shared": {"frames": [{"name": "main", "file": "a.c", "line": 3}]},
     "profiles": [{"type": "sampled", "name": "cpu", "unit": "nanoseconds",
                   "startValue": 0, "endValue": 30, "samples": [[0]], "weights": [30]}]}

Weights are in the unit of the profile's type; the number of samples has no place in the file.
Specification: https://github.com/jlfwong/speedscope/wiki/Importing-from-custom-sources
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


def recognises(head: bytes) -> bool:
    """Whether a file that begins with `head` may be one: an object of JSON."""
    return re.match(rb'(\xef\xbb\xbf)?\s*\{\s*(["}]|$)', head) is not None


def loads(data: bytes) -> Profile:
    """The sum of the profiles in a speedscope file, of the first one's name and unit.

    Its values are the weights, times in nanoseconds; its samples are these where the unit is
    none, else 0, for the file does not say. Of an `evented` profile the weights are the times
    between its events. Raises FormatError.
    """
    parts = _parts(data)
    if len({unit for (_, unit), _ in parts}) > 1:
        raise FormatError("a speedscope file whose profiles differ in their units")
    builder = limits.BoundedBuilder()
    for _, add in parts:
        add(builder)
    return builder.build(ProfileType(*parts[0][0]))


def loads_all(data: bytes) -> list[Profile]:
    """A profile of every name and unit in the file, the weights of each as `loads` reads them."""
    builders: defaultdict[tuple[str, str], limits.BoundedBuilder]
    builders = defaultdict(limits.BoundedBuilder)
    for type, add in _parts(data):
        add(builders[type])
    return [builder.build(ProfileType(*type)) for type, builder in builders.items()]


Add = Callable[[limits.BoundedBuilder], None]


def _parts(data: bytes) -> list[tuple[tuple[str, str], Add]]:
    """Name and unit of every profile in the file, and how to add it to others."""
    limits.check_size(data)
    with _named_mistakes():
        document = json.loads(data)
        frames = [_frame(entry) for entry in document["shared"]["frames"]]
        parts = [(_type(entry), _adder(entry, frames)) for entry in document["profiles"]]
    if not parts:
        raise FormatError("a speedscope file without profiles")
    return parts


@contextmanager
def _named_mistakes() -> Iterator[None]:
    try:
        yield
    except KeyError as error:
        raise FormatError(f"not a speedscope file: {error} is missing") from None
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise FormatError(f"not a speedscope file: {error}") from None


def _adder(entry: dict[str, Any], frames: list[Frame]) -> Add:
    stacks = _sampled if entry["type"] == "sampled" else _evented
    counts = _type(entry)[1] == "count"

    def add(builder: limits.BoundedBuilder) -> None:
        with _named_mistakes():
            for path, value in stacks(entry, NANOSECONDS.get(entry["unit"], 0)):
                stack = [_at(frames, number) for number in path]
                builder.add_bounded(stack, value if counts else 0, value)

    return add


def _sampled(entry: dict[str, Any], scale: int) -> Iterator[tuple[list[Any], int]]:
    for stack, weight in zip(entry["samples"], entry["weights"], strict=True):
        yield stack, _scaled(weight, scale) if scale else _integer(weight, "a weight")


def _evented(entry: dict[str, Any], scale: int) -> Iterator[tuple[list[Any], int]]:
    """The stack between two events, which open a frame and close the one that was opened last."""
    path: list[Any] = []
    before = 0
    for event in entry["events"]:
        at = _scaled(event["at"], scale or 1)
        if path and at > before:
            yield path, at - before
        elif at < before:
            raise FormatError(f"an event at {event['at']!r:.40}, before the one that it follows")
        before = at
        if event["type"] == "O":
            path.append(event["frame"])
        elif not path or path.pop() != event["frame"]:
            raise FormatError(f"a frame is closed at {event['at']!r:.40} that was not opened last")
        if len(path) > limits.MAX_DEPTH:
            raise FormatError(f"a stack of more than {limits.MAX_DEPTH:,} frames")
    if path:
        raise FormatError(f"{len(path)} frames are not closed at the end")


def _type(entry: dict[str, Any]) -> tuple[str, str]:
    """Its name and unit, as we call it."""
    if entry["type"] not in ("sampled", "evented"):
        raise FormatError(f"a speedscope profile of the type {entry['type']!r:.40}")
    unit = _text(entry["unit"])
    unit = "nanoseconds" if unit in NANOSECONDS else "count" if unit == "none" else unit
    return _text(entry["name"]), unit


def _frame(entry: dict[str, Any]) -> Frame:
    line = _integer(entry.get("line") or 0, "a line")
    return Frame(_text(entry["name"]), _text(entry.get("file") or ""), limits.line(line))


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


def _scaled(value: object, scale: int) -> int:
    """A number times `scale`: texts and lists can be multiplied too."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise FormatError(f"a number expected, got {value!r:.40}")
    return round(value * scale)


def _integer(value: object, what: str) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise FormatError(f"{what} that is not a whole number: {value!r:.40}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise FormatError(f"text expected, got {value!r:.40}")
    # JSON can write halves of pairs (\ud800), which no file can hold.
    return limits.name(value.encode("utf-8", "backslashreplace").decode())
