"""From an ELF file to the rows that the kernel searches.

A row holds from its place in the file up to the next row. Places are file offsets and not virtual
addresses, so that a mapping's start and offset are all that is needed to look one up. A table is
cut into windows of 16 MiB, so that of a large file only what is used is loaded.

    0x1040 CFA_SP 8 · 0x1041 CFA_SP 16 · 0x1060 NONE · 0x1070 CFA_SP 8 …
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.elf.file import (
    MAX_SECTION_BYTES,
    PT_GNU_EH_FRAME,
    PT_LOAD,
    Elf,
    Segment,
    read_exactly,
)
from collector.unwind import abi, eh_frame, gaps, golang, x86_64
from collector.unwind.abi import Cause, Rule
from collector.unwind.eh_frame import Functions, Machine
from collector.unwind.gaps import Offsets, Spans
from profiler.errors import FormatError

Column = NDArray[np.uint64]

MACHINES = {"x86_64": x86_64.MACHINE}

MAX_ROWS = 8 << 20
"""Rows of one file: 64 MB. rustc's libLLVM has 0.9 M."""
MAX_FILE_OFFSET = 1 << 32
EVERY_OTHER = 2**32 - 1
MAX_ADDRESS = 1 << 57
"""Of user space, with five levels of page tables."""


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a file: `windows[w]` are those from the file offset w << 24 on.

    A window's first row is at its beginning, and a row's address counts from there (see `abi`).
    `windows[EVERY_OTHER]`, where there is such, stands for all windows that have none.
    """

    windows: dict[int, Column]

    @property
    def rows(self) -> int:
        return sum(map(len, self.windows.values()))


def of_generated_code() -> Table:
    """For a file that is not ELF: what a just-in-time compiler writes into a memfd."""
    return Table({EVERY_OTHER: np.array([abi.code(Rule.FRAME_POINTER)], np.uint64)})


def build(elf: Elf) -> Table:
    """The table of an ELF file; FormatError where its frame information cannot be read.

    A file without any has a table too, of code that is walked by frame pointer if it keeps one.
    """
    machine = MACHINES.get(elf.architecture)
    if machine is None:
        raise FormatError(f"no unwind rules for the ELF machine {elf.machine}, only for {MACHINES}")
    functions = _functions(elf, machine)
    go = golang.is_go(elf)
    spans = []
    for segment in elf.executable():
        if segment.size:
            rows = _segment(elf, segment, functions, machine)
            spans.append(golang.corrected(elf, segment, rows) if go else rows)
    return Table(dict(_windows(_joined(spans))))


def _functions(elf: Elf, machine: Machine) -> Functions:
    """All functions, those of .eh_frame first."""
    found = []
    section = elf.section(".eh_frame")
    if section:
        found.append(eh_frame.parse(elf.load(section), section.address, True, machine))
    else:
        found += _by_header(elf, machine)
    section = elf.section(".debug_frame")
    if section:
        debug = eh_frame.parse(elf.load(section), section.address, False, machine)
        found.append(golang.with_frame_pointers(debug) if golang.is_go(elf) else debug)
    return eh_frame.join(found)


def _by_header(elf: Elf, machine: Machine) -> list[Functions]:
    """Through the program headers, as the runtime finds it where sections were stripped."""
    headers = [s for s in elf.segments if s.kind == PT_GNU_EH_FRAME]
    if not headers:
        return []
    address = eh_frame.header_target(elf.source(headers[0].offset, 8), headers[0].address)
    for segment in elf.segments:
        skip = address - segment.address
        if segment.kind == PT_LOAD and 0 <= skip < segment.size:
            size = min(segment.size - skip, MAX_SECTION_BYTES)
            rest = read_exactly(elf.source, segment.offset + skip, size, ".eh_frame")
            return [eh_frame.parse(eh_frame.until_terminator(rest), address, True, machine)]
    raise FormatError(f".eh_frame at {address:#x} is in no segment")


def _segment(elf: Elf, segment: Segment, functions: Functions, machine: Machine) -> Spans:
    """The rows of one segment, in order: its functions, and what lies between them."""
    if segment.offset + segment.size > MAX_FILE_OFFSET:
        raise FormatError(f"code at {segment.offset:#x} is behind the first 4 GiB of the file")
    if segment.address >= MAX_ADDRESS:
        raise FormatError(f"code at the address {segment.address:#x}, which is the kernel's")
    inside = (functions.start >= segment.address) & (
        functions.start < segment.address + segment.size
    )
    chosen = np.flatnonzero(inside)
    chosen = chosen[np.argsort(functions.start[chosen], kind="stable")]
    starts, firsts = np.unique(functions.start[chosen], return_index=True)
    chosen = chosen[firsts]
    shift = segment.offset - segment.address
    start = starts.astype(np.int64) + shift
    # A function ends where the next begins, whatever it says.
    end = np.minimum(
        start + np.minimum(functions.size[chosen], segment.size).astype(np.int64),
        np.append(start[1:], segment.offset + segment.size),
    )
    rows = _expand(functions, functions.program[chosen], start, end)
    between = gaps.spans(
        elf,
        segment,
        np.append(segment.offset, end),
        np.append(start, segment.offset + segment.size),
        machine,
    )
    return _joined([rows, between])


def _expand(
    functions: Functions, program: NDArray[np.uint32], start: Offsets, end: Offsets
) -> Spans:
    """The rows of each function: those of its program from its start on, up to its end."""
    first, broken = functions.first, len(functions.first) - 1
    size = np.diff(np.append(first, len(functions.code) + 1))  # one row for broken programs
    program = np.where(size[program] == 0, broken, program)
    counts = size[program].astype(np.int64)
    if counts.sum() > MAX_ROWS:
        raise FormatError(f"{counts.sum()} rows are more than {MAX_ROWS}")
    skipped = np.repeat(np.cumsum(counts) - counts, counts)
    index = np.repeat(first[program].astype(np.int64), counts) + np.arange(len(skipped)) - skipped
    offset = np.append(functions.offset, np.uint64(0)).astype(np.int64)
    code = np.append(functions.code, np.uint64(abi.unsupported(Cause.BROKEN)))
    at = np.repeat(start, counts) + offset[index]
    kept = at < np.repeat(end, counts)
    return Spans(at[kept], code[index][kept])


def _joined(parts: list[Spans]) -> Spans:
    """All rows by their place. Of several at one place the last given holds; rows that only repeat
    the rule before them are dropped."""
    at = np.concatenate([np.zeros(0, np.int64), *(part.at for part in parts)])
    code = np.concatenate([np.zeros(0, np.uint64), *(part.code for part in parts)])
    order = np.argsort(at, kind="stable")
    at, code = at[order], code[order]
    last = np.append(at[1:] != at[:-1], True)[: len(at)]
    at, code = at[last], code[last]
    changes = np.append(True, code[1:] != code[:-1])[: len(at)]
    return Spans(at[changes], code[changes])


def _windows(spans: Spans) -> Iterator[tuple[int, Column]]:
    if not len(spans.at):
        return
    first, last = int(spans.at[0]), int(spans.at[-1])
    for window in range(first >> abi.WINDOW_BITS, (last >> abi.WINDOW_BITS) + 1):
        start = window << abi.WINDOW_BITS
        low, high = np.searchsorted(spans.at, (start, start + (1 << abi.WINDOW_BITS)))
        rows = spans.code[low:high] | (spans.at[low:high] - start).astype(np.uint64) << np.uint64(8)
        if low == high or spans.at[low] != start:
            before = spans.code[low - 1] if low else np.uint64(abi.code(Rule.NONE))
            rows = np.append(before, rows)
        if len(rows) > abi.PAGE_ROWS * abi.INDEX_SIZE:
            raise FormatError(f"{len(rows)} rows in 16 MiB are more than a table holds")
        yield window, rows
