"""The words of a user stack as the kernel wrote them: addresses, and Python frames in between.

Innermost first; two words a Python frame (see bpf/python.h):

    0x7f1c2e05be10                            an address
    0x80007f1c2d9a3c40 0x5be1d2c000000012     a frame: code object, checksum and place
"""

from collections.abc import Iterator, Sequence
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


class Stack(NamedTuple):
    """Innermost first. `cause` says why Python frames are missing, None where none are known to
    be."""

    frames: tuple[Entry, ...]
    cause: Cause | None = None


def parse(words: Sequence[int]) -> Stack:
    """Whatever the words are: one that lost its second word is left out."""
    if max(words, default=0) < abi.TAG:
        return Stack(tuple(words))
    entries = list(_entries(words))
    frames = [entry for entry in entries if not isinstance(entry, Cause)]
    cause = next((entry for entry in entries if isinstance(entry, Cause)), None)
    return Stack(tuple(_aligned(frames)), cause)


def _entries(words: Sequence[int]) -> Iterator[Entry | Cause | None]:
    """None for a run of the loop without a frame."""
    rest = iter(words)
    for word in rest:
        if not word & abi.TAG:
            yield word
            continue
        kind, detail = word >> abi.KIND_SHIFT & 0x7F, next(rest, None)
        if detail is None:
            return
        if kind == Kind.FRAME:
            place = (detail & 0xFFFFFFFF ^ 1 << 31) - (1 << 31)  # a signed number
            yield PythonFrame(word & abi.ADDRESS_MASK, place, detail >> 32)
        elif kind == Kind.NO_FRAME:
            yield None
        elif kind == Kind.CUT:
            yield Cause(detail) if detail in set(Cause) else Cause.GOING_ON


def _aligned(entries: list[Entry | None]) -> list[Entry]:
    """Gives every run of the loop its own frame.

    Up to 3.9 the kernel gives each run that it meets the next frame. Where the innermost run has
    not linked its frame yet, each got that of the run that called it, and the outermost none: all
    move outwards by one.
    """
    runs = [i for i, entry in enumerate(entries) if not isinstance(entry, int)]
    frames = [entry for entry in entries if isinstance(entry, PythonFrame)]
    missing = len(runs) - len(frames)
    if missing:
        for index in runs[:missing]:
            entries[index] = None
        for index, frame in zip(runs[missing:], frames, strict=True):
            entries[index] = frame
    return [entry for entry in entries if entry is not None]
