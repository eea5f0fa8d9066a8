"""What a file from outside may cost. Profiles as people keep them stay far below."""

from collections.abc import Sequence
from itertools import islice

from profiler.errors import FormatError
from profiler.model import Frame, ProfileBuilder

MAX_BYTES = 64 << 20
"""Of the file, and of what it unpacks to: a parsed file takes up to 30 times its size."""

MAX_DEPTH = 4096
"""Frames in a stack. The kernel records 127, runtimes with deep recursion some thousand."""

MAX_NODES = 2_000_000
"""Nodes of the prefix tree of all stacks; about 1 GB while it is built."""

MAX_FRAMES = 50_000_000
"""Frames of all stacks together, which some formats can write shorter than a byte a frame."""

MAX_NAME = 16 << 10
"""Characters of a name; what is longer is cut, as the wire does. A file can repeat one for nothing,
and what is drawn or written of it repeats it as text."""

MAX_TEXT = 256 << 20
"""Characters of the names of all frames, each counted: those of 2,000,000 with 128 each."""

MAX_LINE = 2**32 - 1
"""The number of a line; what is beyond is none, and unknown."""

MAX_TIME_NS = 2**63 - 2
"""The end of a window, in Unix nanoseconds."""

MAX_TOTAL = 2**63 - 1
"""The sum of all samples, and of all values."""


def name(text: str) -> str:
    """At most MAX_NAME characters of it."""
    return text if len(text) <= MAX_NAME else f"{text[: MAX_NAME - 1]}…"


def line(number: int) -> int:
    """The number, if it can be a line's; else 0."""
    return number if 0 < number <= MAX_LINE else 0


def check_size(data: bytes) -> None:
    """Raises FormatError for more than MAX_BYTES."""
    if len(data) > MAX_BYTES:
        raise FormatError(f"the profile has {len(data):,} bytes, more than {MAX_BYTES:,}")


class BoundedBuilder(ProfileBuilder):
    """A builder that raises FormatError where a bound is passed or a count is negative."""

    def __init__(self) -> None:
        super().__init__()
        self._total_frames = self._total_samples = self._total_value = self._text = 0

    def add_bounded(self, stack: Sequence[Frame], samples: int, value: int) -> None:
        """`add`, where the stack, the counts and all that came before stay within the bounds."""
        if len(stack) > MAX_DEPTH:
            raise FormatError(f"a stack of {len(stack):,} frames, more than {MAX_DEPTH:,}")
        if samples < 0 or value < 0:
            raise FormatError(
                f"a negative count, {min(samples, value)}; differences are no profile"
            )
        self._total_frames += len(stack)
        self._total_samples += samples
        self._total_value += value
        if self._total_frames > MAX_FRAMES:
            raise FormatError(f"more than {MAX_FRAMES:,} frames in all stacks")
        if max(self._total_samples, self._total_value) > MAX_TOTAL:
            raise FormatError(f"counts that add up to more than {MAX_TOTAL}")
        known = len(self._frames)
        self.add(stack, samples, value)
        if len(self) > MAX_NODES:
            raise FormatError(f"more than {MAX_NODES:,} different nodes")
        for frame in islice(reversed(self._frames), len(self._frames) - known):
            self._text += len(frame.function) + len(frame.file) + len(frame.binary)
        if self._text > MAX_TEXT:
            raise FormatError(f"names of more than {MAX_TEXT:,} characters in all frames")
