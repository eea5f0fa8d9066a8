"""Where a Go program keeps what its runtime knows of its functions.

    .gopclntab     f1 ff ff ff 00 00 01 08 · 1,984 functions · 251 files · …
    moduledata     the table's address · … · runtime.text at 176 · … · go:func.* at 320

The linker writes both (runtime/symtab.go, cmd/link/internal/ld/pcln.go in Go's sources). Nothing
names `moduledata` in a stripped program, but its first word is the address of the table, and in a
position-independent one a relocation may stand for any of its words.
"""

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from collector.elf.file import Elf, Section
from profiler.errors import FormatError

SECTION = ".gopclntab"
MARKS = (SECTION, ".go.buildinfo")
"""A linker that is not Go's puts the table into a section with others."""
MAX_SECTION_BYTES = 64 << 20
"""Of a section that is searched. Terraform, with 102,000 functions, has 0.5 MB of .noptrdata."""

_TABLE = re.compile(rb"[\xf0\xf1]\xff\xff\xff\0\0[\x01\x02\x04]\x08")
"""The magic number of Go 1.18 or 1.20, the size of an instruction and of a pointer."""
_TABLES = (".data.rel.ro", ".rodata")
_MODULES = (".go.module", ".noptrdata", ".data", ".data.rel.ro")
_RELOCATIONS = (".rela", ".rela.dyn")
_RELOCATION = struct.Struct("<QQQ")
_WORD = struct.Struct("<Q")
_TEXT, _INLINED = 176, 320
"""Bytes from the start of moduledata: `text` and, since Go 1.20, `gofunc`."""
_TABLE_TEXT = 24
"""Bytes from the start of the table: `text` again, up to Go 1.25."""


@dataclass(frozen=True, slots=True)
class Module:
    """Virtual addresses: of the table, of the code that its offsets count from, and of what tells
    which calls were inlined (0: unknown)."""

    table: int
    size: int
    text: int
    inlined: int


def find_module(elf: Elf) -> Module | None:
    """None in what no Go linker made, and in what is older than Go 1.18. Raises FormatError."""
    if not elf.wide or elf.order != "<" or not any(map(elf.section, MARKS)):
        return None
    program = _Program(elf)
    for table in program.tables():
        size = program.room(table)
        for at in program.references(table):
            text, inlined = program.word(at + _TEXT), program.word(at + _INLINED)
            if any(0 <= text - code.address < code.size for code in elf.executable()):
                return Module(table, size, text, inlined)
        if text := program.word(table + _TABLE_TEXT):
            return Module(table, size, text, 0)
    return None


class _Program:
    """The words of a program as they are where it was linked for."""

    def __init__(self, elf: Elf) -> None:
        self._elf = elf

    @cached_property
    def _relocations(self) -> list[bytes]:
        return [self._load(section) for section in self._named(_RELOCATIONS)]

    def word(self, address: int) -> int:
        word = int.from_bytes(self._elf.at(address, 8), "little")
        if not word:
            for data in self._relocations:
                for at in _places(data, _WORD.pack(address), _RELOCATION.size, 0):
                    word = _RELOCATION.unpack_from(data, at)[2]
        return word

    def room(self, address: int) -> int:
        """Bytes from an address on to the end of its section."""
        holder = next((s for s in self._elf.sections if s.holds(address)), None)
        return holder.address + holder.size - address if holder else 0

    def tables(self) -> Iterator[int]:
        """Where the table may begin."""
        own = next((s for s in self._elf.sections if s.name.endswith(SECTION)), None)
        if own is not None:
            if _TABLE.match(self._elf.at(own.address, 8)):
                yield own.address
            return
        for section in self._named(_TABLES):
            for found in _TABLE.finditer(self._load(section)):
                if found.start() % 8 == 0:
                    yield section.address + found.start()

    def references(self, address: int) -> Iterator[int]:
        """Where a word is that address."""
        word = _WORD.pack(address)
        for section in self._named(_MODULES):
            for at in _places(self._load(section), word, 8, 0):
                yield section.address + at
        for data in self._relocations:
            for at in _places(data, word, _RELOCATION.size, 16):
                yield _RELOCATION.unpack_from(data, at - 16)[0]

    def _named(self, names: Iterable[str]) -> Iterator[Section]:
        return filter(None, map(self._elf.section, names))

    def _load(self, section: Section) -> bytes:
        if section.size > MAX_SECTION_BYTES:
            raise FormatError(f"{section.name} has {section.size} bytes, too many to search")
        return self._elf.load(section)


def _places(data: bytes, word: bytes, stride: int, offset: int) -> Iterator[int]:
    """Where a word stands in rows of `stride` bytes, `offset` bytes into one."""
    at = data.find(word)
    while at >= 0:
        if at % stride == offset:
            yield at
        at = data.find(word, at + 1)
