"""The words of a user stack as the kernel wrote them: addresses, and Python frames in between.

Innermost first; two words a Python frame (see bpf/python.h):

    0x7f1c2e05be10                            an address
    0x80007f1c2d9a3c40 0x5be1d2c000000012     a frame: code object, checksum and place
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from collector.unwind.python import abi
from collector.unwind.python.abi import Cause, Kind


class PythonFrame(NamedTuple):
    """`place` is where it is in the instructions of the code object at the address `code`."""

    code: int
    place: int
    checksum: int


Entry = int | PythonFrame
"""An address, or a Python frame."""

CALLERS = 1024
"""Stacks without their innermost address that are kept parsed, some 2 KB each: of Python, node and
PostgreSQL on two CPUs, 600 a drain, and 80 % of the samples of the next drain are called so too."""


class Stack(NamedTuple):
    """Innermost first. `cause` says why Python frames are missing, None where none are known to
    be."""

    frames: tuple[Entry, ...]
    cause: Cause | None = None


def parse(words: Sequence[int]) -> Stack:
    """Whatever the words are: one that lost its second word is left out."""
    if not words or words[0] >= abi.TAG:
        return _parse(words)
    callers = _parse_callers(tuple(words[1:]))
    return Stack((words[0], *callers.frames), callers.cause)


def _parse(words: Sequence[int]) -> Stack:
    if max(words, default=0) < abi.TAG:
        return Stack(tuple(words))
    entries: list[Entry | None] = []
    cause = None
    rest = iter(words)
    for word in rest:
        if word < abi.TAG:
            entries.append(word)
            continue
        kind, detail = word >> abi.KIND_SHIFT & 0x7F, next(rest, None)
        if detail is None:
            break
        if kind == Kind.FRAME:
            place = (detail & 0xFFFFFFFF ^ 1 << 31) - (1 << 31)  # a signed number
            entries.append(PythonFrame(word & abi.ADDRESS_MASK, place, detail >> 32))
        elif kind == Kind.NO_FRAME:
            entries.append(None)
        elif kind == Kind.CUT and cause is None:
            cause = Cause(detail) if detail in set(Cause) else Cause.GOING_ON
    if None in entries:
        _align(entries)
    return Stack(tuple([entry for entry in entries if entry is not None]), cause)


_parse_callers = lru_cache(CALLERS)(_parse)


def _align(entries: list[Entry | None]) -> None:
    """Gives every run of the loop its own frame; None is a run without one.

    Up to 3.9 the kernel gives each run that it meets the next frame. Where the innermost run has
    not linked its frame yet, each got that of the run that called it, and the outermost none: all
    move outwards by one.
    """
    runs = [i for i, entry in enumerate(entries) if not isinstance(entry, int)]
    frames = [entry for entry in entries if isinstance(entry, PythonFrame)]
    missing = len(runs) - len(frames)
    for index in runs[:missing]:
        entries[index] = None
    for index, frame in zip(runs[missing:], frames, strict=True):
        entries[index] = frame
