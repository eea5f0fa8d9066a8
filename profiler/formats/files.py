"""Profiles from files of any format that we read, which is found by what they hold.

>>> import io
>>> [profile.total_samples for profile in load(io.BytesIO(b"main;f 3\\n"))]
[3]
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from profiler.errors import FormatError
from profiler.formats import folded, packed, perf_script, pprof, recording, speedscope
from profiler.formats.lines import Mistakes
from profiler.model import Profile

HEAD_BYTES = 16 << 10
"""What is looked at: some samples of perf with their stacks, behind its comments."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A format, how it is known by the first bytes, and the profiles in a file of it."""

    name: str
    recognises: Callable[[bytes], bool]
    read: Callable[[IO[bytes], Mistakes | None], list[Profile]]


READERS = (
    Reader("recording", recording.recognises, lambda f, _: recording.loads_all(packed.read(f))),
    Reader("pprof", pprof.recognises, lambda file, _: pprof.loads_all(packed.read(file))),
    Reader("speedscope", speedscope.recognises, lambda f, _: speedscope.loads_all(packed.read(f))),
    Reader("perf-script", perf_script.recognises, perf_script.load_all),
    Reader("folded", folded.recognises, lambda file, mistakes: [folded.load(file, mistakes)]),
)

_OTHERS = {
    b"PERFILE2": "perf's binary data: give the text of `perf script -i FILE`",
    b"\x7fELF": "a program, not a profile",
    b"FLR\0": "a recording of Java's flight recorder, which is not read",
}


def loads(data: bytes, mistakes: Mistakes | None = None) -> list[Profile]:
    return load(io.BytesIO(data), mistakes)


def load(file: IO[bytes], mistakes: Mistakes | None = None) -> list[Profile]:
    """The profiles in a file, gzipped or not: one of each type and set of labels, at least one.

    Raises FormatError for what cannot be read; lines of text that cannot be are kept in `mistakes`
    where that is given.
    """
    opened = packed.opened(file)
    head = opened.peek(HEAD_BYTES)[:HEAD_BYTES]
    for magic, what in _OTHERS.items():
        if head.startswith(magic):
            raise FormatError(f"this is {what}")
    for reader in READERS:
        if reader.recognises(head):
            return reader.read(opened, mistakes)
    if not head:
        raise FormatError("an empty file; a profile without samples has at least a header")
    names = ", ".join(reader.name for reader in READERS)
    raise FormatError(f"none of the formats {names}; it begins with {head[:24]!r}")
