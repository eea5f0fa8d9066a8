"""Lines of a text file from outside: bounded, numbered, and counted where they cannot be read."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from profiler.errors import FormatError

MAX_LINE_BYTES = 4 << 20
"""A stack of `limits.MAX_DEPTH` frames of a thousand bytes each."""

MAX_TEXT_BYTES = 8 << 30
"""Of text, which is read a line at a time; at a microsecond a frame, some minutes."""

MAX_SHOWN = 60


@dataclass(slots=True)
class Mistakes:
    """Lines that could not be read: the first of them in words, and how many there are.

    A profile without some of its lines is wrong, so readers raise them as one FormatError, unless
    they are given one of these to keep them in.
    """

    first: str = ""
    count: int = 0

    def add(self, line: int, mistake: str) -> None:
        self.first = self.first or f"line {line}: {mistake}"
        self.count += 1

    def __str__(self) -> str:
        others = self.count - 1
        plural = "s" if others > 1 else ""
        return self.first + (f" (and {others:,} more unreadable line{plural})" if others else "")

    def raise_any(self) -> None:
        """Raises FormatError where there is one."""
        if self.count:
            raise FormatError(str(self))


def numbered(file: IO[bytes]) -> Iterator[tuple[int, str]]:
    """The lines of `file` from 1 on, without their ends; what is not UTF-8 is shown as \\xNN.

    Raises FormatError for a line or a text beyond the bounds.
    """
    total = number = 0
    while raw := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        total += len(raw)
        if len(raw) > MAX_LINE_BYTES:
            raise FormatError(f"line {number} has more than {MAX_LINE_BYTES:,} bytes")
        if total > MAX_TEXT_BYTES:
            raise FormatError(f"more than {MAX_TEXT_BYTES:,} bytes of text")
        yield number, raw.decode("utf-8", "backslashreplace").rstrip("\r\n")


def shown(line: str) -> str:
    """A line as a message quotes it."""
    return repr(line) if len(line) <= MAX_SHOWN else repr(line[:MAX_SHOWN]) + "…"
