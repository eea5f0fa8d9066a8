"""Names for the stubs through which a program calls other files: `malloc@plt`.

A stub has no symbol. What it calls is read off its jump through the global offset table:

    1036:  ff 25 c4 2f 00 00     jmp *0x2fc4(%rip)        # 4000 <malloc@GLIBC_2.2.5>

whose slot (here 0x4000) a relocation gives to a symbol (System V ABI, AMD64 supplement, 5.2).
On other machines than x86-64 the stubs stay unnamed.
"""

import re
from collections.abc import Iterator

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
    """The stubs of one file. Empty where it has none, or none that can be read."""

    def __init__(self, elf: Elf) -> None:
        self._sections = tuple(s for s in elf.sections if s.name in _STUBS)
        self._names: dict[int, str] = {}
        if elf.architecture == "x86_64" and self._sections:
            try:
                self._read_stubs(elf, dict(_slots(elf)))
            except FormatError:
                self._names.clear()

    def holds(self, address: int) -> bool:
        """Whether a virtual address lies among the stubs, named or not."""
        return any(section.holds(address) for section in self._sections)

    def lookup(self, address: int) -> tuple[str, int] | None:
        """(mangled name of what is called, address of the stub) for a virtual address in it."""
        for section in self._sections:
            if section.holds(address):
                stub = _stub(section, address)
                return (self._names[stub], stub) if stub in self._names else None
        return None

    def _read_stubs(self, elf: Elf, slots: dict[int, str]) -> None:
        for section in self._sections:
            for jump in _JUMP.finditer(_beginning(elf, section)):
                if len(self._names) >= MAX_STUBS:
                    return
                distance = int.from_bytes(jump[1], "little", signed=True)
                name = slots.get(section.address + jump.end() + distance)
                if name:
                    self._names[_stub(section, section.address + jump.start())] = name


def _stub(section: Section, address: int) -> int:
    size = section.entry_size or 16
    return address - (address - section.address) % size


def _slots(elf: Elf) -> Iterator[tuple[int, str]]:
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
            name = symbols.strings[at : at + MAX_SYMBOL].partition(b"\0")[0]
            yield slot, name.decode("utf-8", "replace")


def _beginning(elf: Elf, section: Section) -> bytes:
    return elf.source(section.offset, min(section.size, MAX_SECTION_BYTES))
