"""What the frame information of Go programs does not say.

A goroutine that calls into the scheduler or into C changes to the stack of its thread, and the
frame information goes on as if it had not. But the frame pointer still leads back, on purpose
(runtime/asm_amd64.s: "the original frame pointer is stored in BP, which is useful for stack
unwinding"), and is 0 where a thread or its scheduler begins. And nothing is said of where the
caller's frame pointer is: below the return address, in every function that has a frame.

    runtime.systemstack → frame pointer · runtime.sigreturn__sigaction → signal
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from collector.elf.file import Elf, Segment
from collector.elf.symbols import SHT_SYMTAB, read_symbols
from collector.unwind import abi
from collector.unwind.abi import Rule
from collector.unwind.eh_frame import Functions
from collector.unwind.gaps import Spans

FRAME_POINTER = abi.code(Rule.FRAME_POINTER, 1)
"""One that may lead to another stack."""

FRAME, SAVED = 16, -2
"""Bytes of a frame that has nothing but the return address and the caller's frame pointer, and
where that is, in words from the CFA."""

SECTIONS = (".gopclntab", ".data.rel.ro.gopclntab")
"""The table of functions that every Go program has at run time; the second in PIE files."""

CHANGES = ("systemstack", "mcall", "morestack", "mstart", "asmcgocall", "nanotime1", "walltime")
RETURN_FROM_SIGNAL = "sigreturn__sigaction"
ABIS = ("", ".abi0", ".abiinternal")
"""What linkers append to the names of assembly (since Go 1.17, and not always)."""


def is_go(elf: Elf) -> bool:
    return any(elf.section(name) for name in SECTIONS)


def with_frame_pointers(functions: Functions) -> Functions:
    """Functions of .debug_frame, whose rows say where the caller's frame pointer is."""
    code = functions.code
    rule = code & np.uint64(0xFF)
    offset, place = (
        (code >> np.uint64(32)).astype(np.uint32).view(np.int32) >> 8,
        code >> np.uint64(32),
    )
    has_frame = (rule == Rule.CFA_SP) & (offset >= FRAME) & (place & np.uint64(0xFF) == 0)
    saved = code | np.uint64(SAVED & 0xFF) << np.uint64(32)
    return replace(functions, code=np.where(has_frame, saved, code))


def corrected(elf: Elf, segment: Segment, rows: Spans) -> Spans:
    """The rows of a segment of a Go file, with those of these functions in place of what their
    frame information says. A file without symbols and frame information has the same for all."""
    plain = np.uint64(abi.code(Rule.FRAME_POINTER))
    at, code = rows.at, np.where(rows.code == plain, np.uint64(FRAME_POINTER), rows.code)
    for start, end, rule in _rules(elf, segment):
        after = np.searchsorted(at, end, side="right")
        before = np.searchsorted(at, start)
        # What held at the end goes on there.
        last = code[after - 1] if after else np.uint64(abi.code(Rule.NONE))
        at = np.concatenate([at[:before], [start, end], at[after:]])
        code = np.concatenate([code[:before], np.array([rule, last], np.uint64), code[after:]])
    return Spans(at, code)


def _rules(elf: Elf, segment: Segment) -> Iterator[tuple[int, int, int]]:
    """(start, end, rule) of each such function in the segment, as file offsets."""
    rules = {f"runtime.{name}{abi_}": FRAME_POINTER for name in CHANGES for abi_ in ABIS}
    signal = abi.code(Rule.SIGNAL)
    rules |= {f"runtime.{RETURN_FROM_SIGNAL}{abi_}": signal for abi_ in ABIS}
    shift = segment.offset - segment.address
    for name, symbol in read_symbols(elf, SHT_SYMTAB).find(rules).items():
        size = min(symbol.size, segment.address + segment.size - symbol.address)
        if symbol.address > segment.address and size > 0:
            # A handler returns to the first byte; its call is looked up in the byte before.
            first = symbol.address - (rules[name] == signal)
            yield first + shift, symbol.address + size + shift, rules[name]
