"""Names for the stubs through which a program calls other files: `malloc@plt`.

A stub has no symbol. What it calls is read off its jump through the global offset table:

    1036:  ff 25 c4 2f 00 00     jmp *0x2fc4(%rip)        # 4000 <malloc@GLIBC_2.2.5>

whose slot (here 0x4000) a relocation gives to a symbol (System V ABI, AMD64 supplement, 5.2).
On other machines than x86-64 the stubs stay unnamed.
"""

import re

import numpy as np

from collector.symbols.elf import Elf, ReadAt, Section

MAX_SECTION_BYTES = 4 << 20
MAX_STUBS = 16_384
MAX_SYMBOL = 1024

_EM_X86_64 = 62
_JUMP = re.compile(rb"\xff\x25(....)", re.DOTALL)
_STUBS = (".plt", ".plt.sec", ".plt.got")
_RELOCATION = np.dtype([("slot", "<u8"), ("kind", "<u4"), ("symbol", "<u4"), ("addend", "<i8")])
_R_X86_64_GLOB_DAT, _R_X86_64_JUMP_SLOT = 6, 7
_SYMBOL = np.dtype([("name", "<u4"), ("rest", "V20")])


class Plt:
    """The stubs of one file. Empty where it has none, or none that can be read."""

    def __init__(self, read: ReadAt, elf: Elf) -> None:
        self._sections = tuple(s for s in elf.sections if s.name in _STUBS)
        self._names: dict[int, str] = {}
        if elf.machine == _EM_X86_64 and self._sections:
            slots = _slots(read, {section.name: section for section in elf.sections})
            for section in self._sections:
                self._read_stubs(section, _contents(read, section), slots)

    def holds(self, address: int) -> bool:
        """Whether a virtual address lies among the stubs, named or not."""
        return any(0 <= address - s.address < s.size for s in self._sections)

    def lookup(self, address: int) -> tuple[str, int] | None:
        """(mangled name of what is called, address of the stub) for a virtual address in it."""
        for section in self._sections:
            if 0 <= address - section.address < section.size:
                stub = _stub(section, address)
                return (self._names[stub], stub) if stub in self._names else None
        return None

    def _read_stubs(self, section: Section, code: bytes, slots: dict[int, str]) -> None:
        for jump in _JUMP.finditer(code):
            if len(self._names) >= MAX_STUBS:
                return
            distance = int.from_bytes(jump[1], "little", signed=True)
            name = slots.get(section.address + jump.end() + distance)
            if name:
                self._names[_stub(section, section.address + jump.start())] = name


def _stub(section: Section, address: int) -> int:
    size = section.entry_size or 16
    return address - (address - section.address) % size


def _slots(read: ReadAt, sections: dict[str, Section]) -> dict[int, str]:
    """The symbol's name for each slot of the global offset table."""
    if ".dynsym" not in sections or ".dynstr" not in sections:
        return {}
    symbols = _rows(_contents(read, sections[".dynsym"]), _SYMBOL)["name"]
    strings = _contents(read, sections[".dynstr"])
    slots: dict[int, str] = {}
    for name in (".rela.plt", ".rela.dyn"):
        if name not in sections:
            continue
        rows = _rows(_contents(read, sections[name]), _RELOCATION)
        rows = rows[np.isin(rows["kind"], (_R_X86_64_GLOB_DAT, _R_X86_64_JUMP_SLOT))]
        rows = rows[rows["symbol"] < len(symbols)][:MAX_STUBS]
        for slot, at in zip(rows["slot"].tolist(), symbols[rows["symbol"]].tolist(), strict=True):
            slots[slot] = (
                strings[at : at + MAX_SYMBOL].partition(b"\0")[0].decode("utf-8", "replace")
            )
    return slots


def _contents(read: ReadAt, section: Section) -> bytes:
    if section.offset >= 1 << 63:
        return b""
    return read(section.offset, min(section.size, MAX_SECTION_BYTES))


def _rows(data: bytes, layout: np.dtype[np.void]) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    return np.frombuffer(data, dtype=layout, count=len(data) // layout.itemsize)
