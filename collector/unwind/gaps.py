"""What lies between the functions that have frame information.

Mostly padding, which is never executed. But Chromium, V8's builtins in node and Go programs
without debug information are megabytes of code that keeps frame pointers instead; FFmpeg-like
assembly keeps nothing; and a C library may leave its thread starts and signal returns bare.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from collector.elf.file import Elf, Segment
from collector.elf.symbols import SHT_DYNSYM, SHT_SYMTAB, read_symbols
from collector.unwind import abi
from collector.unwind.abi import Rule
from collector.unwind.eh_frame import Machine

Offsets = NDArray[np.int64]
Row = tuple[int, int]

ENDS_OF_THREADS = ("exit", "pthread_exit")

ALIGNMENT = 16
"""Compilers align functions to 16 bytes: a shorter gap up to an aligned function is padding."""
FILLED = 64
"""A gap shorter than this may be padding too (Go aligns to 32): then it holds only filler."""
FILLER = b"\x00\x90\xcc"
GENERATED = 4096
"""The shortest gap that is asked whether its code keeps frame pointers."""
SAMPLE = 1 << 16
"""Bytes of a gap that are asked so."""
PROLOGUE_EVERY = 2048
"""Code with frame pointers sets one up every 267 to 1,008 bytes (Chromium, node, Go); the assembly
of OpenSSL and dav1d at most once in 7,000 (by chance)."""
SCANNED = 1 << 20
"""Bytes of a gap that are searched for the starts of threads and the returns from signals."""
SCANNED_IN_ALL = 64 << 20
"""Of one file: half a second of work."""
ENTRY_SIZE = 64
"""Bytes from the entry point on that are a thread's root, if they are entered as one: glibc's
dynamic loader calls the constructors of all libraries from the 43rd."""


@dataclass(frozen=True, slots=True)
class Spans:
    """From the file offset `at[i]` on, the row `code[i]` (see `abi`)."""

    at: Offsets
    code: NDArray[np.uint64]


def spans(elf: Elf, segment: Segment, start: Offsets, end: Offsets, machine: Machine) -> Spans:
    """The rows of the gaps of a segment from `start[i]` to `end[i]`, but for those of padding."""
    size = end - start
    padding = (size < ALIGNMENT) & (end % ALIGNMENT == 0)
    rows: list[Row] = []
    budget = SCANNED_IN_ALL
    thread_ends = cache(lambda: _thread_ends(elf))
    for at in np.flatnonzero((size > 0) & ~padding):
        gap = _Gap(elf, segment, int(start[at]), int(end[at]), machine, min(SCANNED, budget))
        rows += gap.rows(thread_ends)
        budget -= len(gap.data)
    return Spans(
        np.array([at for at, _ in rows], np.int64), np.array([code for _, code in rows], np.uint64)
    )


def _thread_ends(elf: Elf) -> set[int]:
    return {
        symbol.address
        for kind in (SHT_DYNSYM, SHT_SYMTAB)
        for symbol in read_symbols(elf, kind).find(ENDS_OF_THREADS).values()
    }


class _Gap:
    """The code of a segment from file offset `start` to `end`, of which `data` is the beginning."""

    def __init__(
        self, elf: Elf, segment: Segment, start: int, end: int, machine: Machine, limit: int
    ) -> None:
        self.elf, self.machine = elf, machine
        self.start, self.end = start, end
        self.address = segment.address - segment.offset + start
        self.data = elf.source(start, min(end - start, limit))

    def rows(self, thread_ends: Callable[[], set[int]]) -> Iterator[Row]:
        if self.end - self.start < FILLED and not self.data.strip(FILLER):
            return
        if self.data.startswith(self.machine.system_call):
            # glibc's clone() has none from there on, because the child begins on another stack.
            plain = self.machine.at_entry
            found = self.entry()
        elif self.keeps_frame_pointers():
            plain = abi.code(Rule.FRAME_POINTER)
            found = self.entry()
        else:
            plain = abi.code(Rule.NONE)
            found = [*self.entry(), *self.signal_returns(), *self.thread_starts(thread_ends)]
        yield self.start, plain
        for at, size, rule in found:
            yield self.start + at, abi.code(rule)
            yield min(self.start + at + size, self.end), plain

    def keeps_frame_pointers(self) -> bool:
        sample = self.data[:SAMPLE]
        prologues = sum(map(sample.count, self.machine.prologues))
        return len(sample) >= GENERATED and prologues * PROLOGUE_EVERY >= len(sample)

    def entry(self) -> list[tuple[int, int, Rule]]:
        """Where the program begins, if it begins here: (offset in the gap, size, rule)."""
        at = self.elf.entry - self.address
        if 0 <= at < self.end - self.start:
            code = self.elf.source(self.start + at, ENTRY_SIZE)
            if self.machine.is_entry(code):
                return [(at, ENTRY_SIZE, Rule.ROOT)]
        return []

    def signal_returns(self) -> Iterator[tuple[int, int, Rule]]:
        for code in self.machine.signal_returns:
            at = self.data.find(code)
            if at > 0:
                # From the byte before on: a handler returns to it, and its call is looked up.
                yield at - 1, len(code) + 1, Rule.SIGNAL

    def thread_starts(self, thread_ends: Callable[[], set[int]]) -> Iterator[tuple[int, int, Rule]]:
        """`exit(main())` and `pthread_exit(start())`: what calls these two with what a function
        pointer returned is where a thread begins. musl marks its thread starts in no other way."""
        for call in self.machine.calls_with_result.finditer(self.data):
            target = (
                self.address + call.end() + int.from_bytes(call["target"], "little", signed=True)
            )
            if target in thread_ends():
                yield call.end("pointer") - 1, 1, Rule.ROOT
