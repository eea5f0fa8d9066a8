"""Names for the stubs through which a program calls other files: `malloc@plt`.

A stub has no symbol. What it calls is read off its jump through the global offset table:

    1036:  ff 25 c4 2f 00 00     jmp *0x2fc4(%rip)        # 4000 <malloc@GLIBC_2.2.5>

whose slot (here 0x4000) a relocation gives to a symbol (System V ABI, AMD64 supplement, 5.2).
On other machines than x86-64 the stubs stay unnamed.
"""

import re
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice

import numpy as np

from collector.elf.file import Elf, Section
from collector.elf.symbols import SHT_DYNSYM, read_symbols
from profiler.errors import FormatError

MAX_SECTION_BYTES = 4 << 20
MAX_STUBS = 16_384
MAX_SYMBOL = 1024

_JUMP = re.compile(rb"\xff\x25(....)", re.DOTALL)
_STUBS = (".plt", ".plt.sec", ".plt.got")
_RELOCATIONS = (".rela.plt", ".rela.dyn")
_RELOCATION = np.dtype([("slot", "<u8"), ("kind", "<u4"), ("symbol", "<u4"), ("addend", "<i8")])
_R_X86_64_GLOB_DAT, _R_X86_64_JUMP_SLOT = 6, 7


class Plt:
    """The stubs of one file. Empty where it has none, or none that can be read.

    The names stand in one text: a node's libraries have some 40,000 stubs, and a string each took
    4 MB.
    """

    def __init__(self, elf: Elf) -> None:
        self._sections = tuple(s for s in elf.sections if s.name in _STUBS)
        names: dict[int, bytes] = {}
        if elf.architecture == "x86_64" and self._sections:
            try:
                names = dict(_stubs(elf, self._sections))
            except FormatError:
                names = {}
        stubs = sorted(names)
        self._stubs = array("Q", stubs)
        self._names = b"\0".join([names[stub] for stub in stubs])
        lengths = np.array([0, *(len(names[stub]) + 1 for stub in stubs)])
        self._starts = array("I", np.cumsum(lengths).tolist())

    def holds(self, address: int) -> bool:
        """Whether a virtual address lies among the stubs, named or not."""
        return any(section.holds(address) for section in self._sections)

    def lookup(self, address: int) -> tuple[str, int] | None:
        """(mangled name of what is called, address of the stub) for a virtual address in it."""
        for section in self._sections:
            if section.holds(address):
                stub = _stub(section, address)
                at = bisect_left(self._stubs, stub)
                if at == len(self._stubs) or self._stubs[at] != stub:
                    return None
                name = self._names[self._starts[at] : self._starts[at + 1] - 1]
                return name.decode("utf-8", "replace"), stub
        return None


def _stubs(elf: Elf, sections: tuple[Section, ...]) -> Iterator[tuple[int, bytes]]:
    """Each stub and the name of what it calls."""
    slots = dict(_slots(elf))
    jumps = ((section, jump) for section in sections for jump in _jumps(elf, section))
    for section, jump in islice(jumps, MAX_STUBS):
        distance = int.from_bytes(jump[1], "little", signed=True)
        name = slots.get(section.address + jump.end() + distance)
        if name:
            yield _stub(section, section.address + jump.start()), name


def _jumps(elf: Elf, section: Section) -> Iterator[re.Match[bytes]]:
    return _JUMP.finditer(_beginning(elf, section))


def _stub(section: Section, address: int) -> int:
    size = section.entry_size or 16
    return address - (address - section.address) % size


def _slots(elf: Elf) -> Iterator[tuple[int, bytes]]:
    """Each slot of the global offset table, and the symbol's name for it."""
    symbols = read_symbols(elf, SHT_DYNSYM)
    for section in elf.sections:
        if section.name not in _RELOCATIONS:
            continue
        data = _beginning(elf, section)
        rows = np.frombuffer(data, _RELOCATION, len(data) // _RELOCATION.itemsize)
        rows = rows[np.isin(rows["kind"], (_R_X86_64_GLOB_DAT, _R_X86_64_JUMP_SLOT))]
        rows = rows[rows["symbol"] < len(symbols.rows)][:MAX_STUBS]
        names = symbols.rows["name"][rows["symbol"]]
        for slot, at in zip(rows["slot"].tolist(), names.tolist(), strict=True):
            yield slot, symbols.strings[at : at + MAX_SYMBOL].partition(b"\0")[0]


def _beginning(elf: Elf, section: Section) -> bytes:
    return elf.source(section.offset, min(section.size, MAX_SECTION_BYTES))
