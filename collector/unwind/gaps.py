"""What lies between the functions that have frame information.

Mostly padding, which is never executed. But Chromium, V8's builtins in node and Go programs
without debug information are megabytes of code that keeps frame pointers instead; FFmpeg-like
assembly keeps nothing; and a C library may leave its thread starts and signal returns bare.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.unwind import abi
from collector.unwind.abi import Rule
from collector.unwind.eh_frame import Machine
from collector.unwind.elf import Source

Offsets = NDArray[np.int64]

ALIGNMENT = 16
"""Compilers align functions to 16 bytes: a shorter gap up to an aligned function is padding."""
FILLED = 64
"""A gap shorter than this may be padding too (Go aligns to 32): then it holds only filler."""
FILLER = b"\x00\x90\xcc"
GENERATED = 4096
"""The shortest gap that is asked whether its code keeps frame pointers."""
SAMPLE = 1 << 16
"""Bytes of a gap that are read."""
PROLOGUE_EVERY = 2048
"""Code with frame pointers sets one up every 267 to 1,008 bytes (Chromium, node, Go); the assembly
of OpenSSL and dav1d at most once in 7,000 (by chance)."""
ENTRY_SIZE = 64
"""Bytes from the entry point on that are a thread's root, if they are entered as one: glibc's
dynamic loader calls the constructors of all libraries from the 43rd."""


@dataclass(frozen=True, slots=True)
class Spans:
    """From the file offset `at[i]` on, the row `code[i]` (see `abi`)."""

    at: Offsets
    code: NDArray[np.uint64]


def spans(source: Source, start: Offsets, end: Offsets, entry: int, machine: Machine) -> Spans:
    """The rows of the gaps from `start[i]` to `end[i]`, without those that are padding."""
    size = end - start
    padding = (size < ALIGNMENT) & (end % ALIGNMENT == 0)
    rows = [
        row
        for at in np.flatnonzero((size > 0) & ~padding)
        for row in _rows(source, int(start[at]), int(end[at]), entry, machine)
    ]
    return Spans(
        np.array([at for at, _ in rows], np.int64), np.array([code for _, code in rows], np.uint64)
    )


def _rows(
    source: Source, start: int, end: int, entry: int, machine: Machine
) -> Iterator[tuple[int, int]]:
    data = source(start, min(end - start, SAMPLE))
    if end - start < FILLED and not data.strip(FILLER):
        return
    plain = abi.code(Rule.FRAME_POINTER if _keeps_frame_pointers(data, machine) else Rule.NONE)
    yield start, plain
    if start <= entry < end and machine.is_entry(data[entry - start :][:ENTRY_SIZE]):
        yield entry, abi.code(Rule.ROOT)
        yield min(entry + ENTRY_SIZE, end), plain
    for code in machine.signal_returns:
        at = data.find(code)
        if at > 0:
            # From the byte before on: a handler returns to it, and the call is looked for there.
            yield start + at - 1, abi.code(Rule.SIGNAL)
            yield start + at + len(code), plain


def _keeps_frame_pointers(data: bytes, machine: Machine) -> bool:
    prologues = sum(map(data.count, machine.prologues))
    return len(data) >= GENERATED and prologues * PROLOGUE_EVERY >= len(data)
