"""The text of `py-spy record --format raw --threads --full-filenames`, a stack a line, root first.

    thread (0x7F20593C7B80): MainThread;<module> (app.py:16);work (/srv/app.py:9) 102

A thread is told by its number in the kernel, or up to 3.10 by its pthread_self(). Functions and
files are called what the process has called them, and nothing is escaped: whatever stands there,
what comes out of here is bounded, printable and in the numbers of frames that it claims to be.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from collector.processes.text import printable
from profiler.model import Frame, Kind

MAX_BYTES = 8 << 20
"""Some 10,000 stacks of 20 frames; the longest seen in 10 s, of sympy's tests, had 300 KB."""
MAX_STACKS = 16_384
MAX_FRAMES = 2_048
"""Of a stack; the outermost beyond them are left out. Python's own limit is 1,000."""
MAX_FILE = 4_096

CUT = Frame("[truncated: depth]", kind=Kind.MARKER)

_LINE = re.compile(rb"(.*) (\d{1,9})")
_THREAD = re.compile(r"thread \((?:(\d{1,10})|0x[0-9A-F]{1,16})\)(: MainThread)?")
_FRAME = re.compile(r"(.+) \((.+?)(?::(\d{1,9}))?\)")


@dataclass(frozen=True, slots=True)
class Stack:
    """`count` times that py-spy saw these frames, root first, in a thread. `tid` is the kernel's
    number of it, None where py-spy does not know it."""

    tid: int | None
    frames: tuple[Frame, ...]
    count: int


def parse(text: bytes, pid: int) -> list[Stack]:
    """The stacks of a report on a process; what is no line of one is left out."""
    stacks = []
    for line in text[:MAX_BYTES].split(b"\n"):
        stack = _stack(line, pid)
        if stack:
            stacks.append(stack)
        if len(stacks) == MAX_STACKS:
            break
    return stacks


def _stack(line: bytes, pid: int) -> Stack | None:
    counted = _LINE.fullmatch(line)
    if counted is None:
        return None
    first, *rest = counted[1].decode("utf-8", "backslashreplace").split(";")
    thread = _THREAD.match(first)
    count = int(counted[2])
    if thread is None or not rest or not count:
        return None
    tid = int(thread[1]) if thread[1] else pid if thread[2] else None
    return Stack(tid, tuple(_frames(rest)), count)


def _frames(texts: list[str]) -> Iterator[Frame]:
    if len(texts) > MAX_FRAMES:
        yield CUT
    for text in texts[-MAX_FRAMES:]:
        yield _frame(text)


@lru_cache(4_096)
def _frame(text: str) -> Frame:
    """A semicolon in a name makes two of it, the first of which has no place."""
    found = _FRAME.fullmatch(text)
    if found is None:
        return Frame(printable(text), kind=Kind.PYTHON)
    function, file, line = found.groups()
    return Frame(printable(function), printable(file, MAX_FILE), int(line or 0), kind=Kind.PYTHON)
