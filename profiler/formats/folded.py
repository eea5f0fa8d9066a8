"""Folded stacks: a line a stack, its frames joined by semicolons from the root, and a count.

    main;parse;read_token 42

The format of Brendan Gregg's FlameGraph scripts, which most profilers read or write. It carries
names and counts, nothing else. It knows no escapes, so what would break a line is written as in
URLs: `;` as %3B, a line feed as %0A, a carriage return as %0D, and a `%` only where it would read
as one of these, as %25. All other text, `operator%` included, stands as it is.

https://github.com/brendangregg/FlameGraph#2-fold-stacks
"""

import io
import re
from typing import IO, Literal

from profiler.analysis import tree
from profiler.errors import FormatError, UsageError
from profiler.formats import limits, lines
from profiler.formats.lines import Mistakes
from profiler.model import Frame, Profile, ProfileType

TYPE = ProfileType("samples", "count")
"""What a folded file counts, as far as it says."""

UNNAMED = "[unknown]"

MAX_WRITTEN = 512 << 20
"""Characters, held four times while they are sorted; of 1,000,000 stacks, 500 each."""

_ESCAPED = re.compile(r"[;\n\r]|%(?=3B|0A|0D|25)")
_ESCAPE = re.compile(r"%(3B|0A|0D|25)")


def dumps(profile: Profile, column: Literal["samples", "value"] = "samples") -> bytes:
    """The profile as UTF-8 text in alphabetical order, counting samples or the unit of its type.

    Raises UsageError for more than MAX_WRITTEN of it: each stack repeats the names of its frames.
    """
    names = [escaped(frame.function) for frame in profile.frames]
    counts = (profile.samples if column == "samples" else profile.values).tolist()
    counted: dict[str, int] = {}
    written = 0
    for node, path in tree.paths(profile, names):
        if counts[node]:
            stack = ";".join(path)
            written += len(stack)
            if written > MAX_WRITTEN:
                raise UsageError(
                    f"folded stacks of more than {MAX_WRITTEN:,} characters: choose another format"
                )
            counted[stack] = counted.get(stack, 0) + counts[node]
    text = "".join(f"{stack} {counted[stack]}\n" for stack in sorted(counted))
    return text.encode("utf-8", "backslashreplace")


def escaped(function: str) -> str:
    """The name as it stands in a line."""
    return _ESCAPED.sub(_escape, function) or UNNAMED


def recognises(head: bytes) -> bool:
    """Whether a file that begins with `head` is one: some line there ends in a count."""
    return re.search(rb"^\S.* \d{1,19}\s*$", head, re.MULTILINE) is not None


def loads(data: bytes) -> Profile:
    """As `load`, of at most `limits.MAX_BYTES`."""
    limits.check_size(data)
    return load(io.BytesIO(data))


def load(file: IO[bytes], mistakes: Mistakes | None = None) -> Profile:
    """The profile in a folded file, of the type `samples` in `count`.

    Raises FormatError where the bounds of `limits` are passed. Lines that cannot be read are kept
    in `mistakes`, or raise FormatError when none is given. Bytes that are not UTF-8 are shown as
    \\xNN.
    """
    found = Mistakes() if mistakes is None else mistakes
    builder = limits.BoundedBuilder()
    frames: dict[str, Frame] = {}
    for number, line in lines.numbered(file):
        if not line or line.isspace():
            continue
        try:
            names, count = _parse(line)
        except FormatError as error:
            found.add(number, str(error))
            continue
        builder.add_bounded([_frame(name, frames) for name in names], count, count)
    if mistakes is None:
        found.raise_any()
    return builder.build(TYPE, period=1)


def _parse(line: str) -> tuple[list[str], int]:
    """The names and the count of a line."""
    stack, _, count = line.rpartition(" ")
    if not (count.isascii() and count.isdecimal() and len(count) <= 19):
        raise FormatError(f"expected a count after the last space, got {lines.shown(line)}")
    names = stack.split(";") if stack else []
    if "" in names:
        raise FormatError(f"a frame without a name in {lines.shown(line)}")
    return [limits.name(name) for name in names], int(count)


def _frame(name: str, known: dict[str, Frame]) -> Frame:
    frame = known.get(name)
    if frame is None:
        frame = known[name] = Frame(_ESCAPE.sub(lambda match: chr(int(match[1], 16)), name))
    return frame


def _escape(match: re.Match[str]) -> str:
    return f"%{ord(match[0]):02X}"
