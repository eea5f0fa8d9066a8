"""The address ranges of the interpreter's loop, `_PyEval_EvalFrameDefault`, in an ELF file.

Compilers move what is rarely executed into a part of its own, `.cold`, which stripped files do not
name. It is found by the loop itself: its conditional jumps that leave it lead there, and to nothing
else, since a compiler makes no conditional jump to another function.

Only 3.8 and 3.9 need it: later loops are found by what they keep on the stack.
"""

from bisect import bisect_right
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from collector.elf.file import Elf, Section
from collector.elf.symbols import SHT_SYMTAB, Symbol, read_symbols

NAME = "_PyEval_EvalFrameDefault"
COLD = NAME + ".cold"
MAX_SIZE = 1 << 20
"""Of the loop; builds without optimization have 100 KB."""
MIN_JUMPS = 8
"""Into the cold part: what looks like a jump may be the middle of another instruction. Debian's
3.11 has 278 of 1,206."""

Range = tuple[int, int]

# .eh_frame_hdr with a sorted table of 4-byte numbers, relative to its own address: what every
# linker writes (Linux Standard Base, 10.6.2). The header has 12 bytes then.
_SORTED_RELATIVE = bytes([1, 0x1B, 0x03, 0x3B])
_HEADER = 12


def ranges(elf: Elf, loop: Symbol) -> list[Range]:
    """The loop and its cold part, if it has one, as virtual addresses [start, end)."""
    whole = (loop.address, loop.address + loop.size)
    named = read_symbols(elf, SHT_SYMTAB).find([COLD]).get(COLD)
    if named is not None:
        return [whole, (named.address, named.address + named.size)]
    text = elf.section(".text")
    if elf.architecture != "x86_64" or text is None or not 0 < loop.size <= MAX_SIZE:
        return [whole]
    cold = _cold(elf, _outward_jumps(elf, text, whole))
    return [whole] if cold is None else [whole, cold]


def _outward_jumps(elf: Elf, text: Section, loop: Range) -> NDArray[np.int64]:
    """Where the loop's conditional jumps lead that leave it; `0f 8x` and a 4-byte distance."""
    start, end = loop
    code = np.frombuffer(elf.load(text), np.uint8)[start - text.address : end - text.address]
    at = np.flatnonzero((code[:-5] == 0x0F) & (code[1:-4] & 0xF0 == 0x80))
    distance = np.ascontiguousarray(code[at[:, None] + np.arange(2, 6)]).view("<i4")[:, 0]
    targets = start + at + 6 + distance.astype(np.int64)
    outside = (targets < start) | (targets >= end)
    inside_text = (targets >= text.address) & (targets < text.address + text.size)
    return targets[outside & inside_text]


def _cold(elf: Elf, targets: NDArray[np.int64]) -> Range | None:
    """The function, by the file's own list of them, that nearly all jumps lead to."""
    section = elf.section(".eh_frame_hdr")
    if section is None or len(targets) < MIN_JUMPS:
        return None
    header = elf.load(section)
    if header[:4] != _SORTED_RELATIVE:
        return None
    table = np.frombuffer(header, "<i4", offset=_HEADER)
    starts = (table[: len(table) // 2 * 2 : 2].astype(np.int64) + section.address).tolist()
    functions = Counter(bisect_right(starts, target) for target in targets.tolist())
    (index, count), *_ = functions.most_common(1)
    if not 0 < index < len(starts) or count < 0.9 * len(targets):
        return None
    return starts[index - 1], starts[index]
