"""Functions of an ELF symbol table, and the names that a file keeps compressed.

Of several names for one address, the best known is shown: `malloc` and not `__libc_malloc`.

MiniDebugInfo is what Fedora and its relatives leave in stripped programs: the section
`.gnu_debugdata` is an ELF file, compressed by xz, whose symbol table has the functions that the
program does not export (https://sourceware.org/gdb/current/onlinedocs/gdb.html/MiniDebugInfo.html).
Both tables become one text as `symbolic` reads it, of Breakpad's format:

    FUNC 1139 1c 0 hidden
    PUBLIC 1160 0 _start
"""

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from collector.elf.file import Elf, Section, read_elf
from collector.elf.source import of_bytes
from profiler.errors import FormatError

SYMBOL = struct.Struct("<IBBHQQ")  # Elf64_Sym of elf.h
SHT_SYMTAB, SHT_DYNSYM = 2, 11
COMPRESSED = ".gnu_debugdata"
MAX_NAME = 1024
MAX_DECOMPRESSED_BYTES = 64 << 20
"""A million functions."""
MAX_DICTIONARY_BYTES = 128 << 20
"""xz -9 needs 65 MB to be undone."""

_FUNCTION = 2
_BINDINGS = {1: 0, 2: 1, 0: 2}
"""Global names before weak ones before local ones."""

Rank = tuple[bool, int, int, int, bytes]


class Function(NamedTuple):
    """A row of a symbol table; of several at an address, that of the lowest rank is shown."""

    number: int
    info: int
    address: int
    size: int
    rank: Rank

    @property
    def name(self) -> bytes:
        return self.rank[-1]


def functions(table: bytes, name_at: Callable[[int], bytes]) -> Iterator[Function]:
    """The functions that a table defines; `name_at` gives a name (and more) at its offset."""
    whole = len(table) // SYMBOL.size * SYMBOL.size
    for number, row in enumerate(SYMBOL.iter_unpack(table[:whole])):
        at, info, _, section, address, size = row
        if info & 15 == _FUNCTION and section:
            name = name_at(at).partition(b"\0")[0]
            underscores = len(name) - len(name.lstrip(b"_"))
            rank = (size == 0, _BINDINGS.get(info >> 4, 3), underscores, len(name), name)
            yield Function(number, info, address, size, rank)


def is_table(elf: Elf, section: Section) -> bool:
    """Whether a section is a symbol table that `functions` can read."""
    known = section.kind in (SHT_SYMTAB, SHT_DYNSYM) and section.link < len(elf.sections)
    return known and elf.wide and elf.order == "<"


def decompressed(elf: Elf) -> bytes:
    """The names of a file that has no symbol table but a compressed one, as Breakpad writes them.

    Empty where it is not so. Raises FormatError.
    """
    compressed = elf.section(COMPRESSED)
    if compressed is None or any(section.kind == SHT_SYMTAB for section in elf.sections):
        return b""
    inner = read_elf(of_bytes(_unpacked(elf.load(compressed))))
    best: dict[int, Function] = {}
    for file in (elf, inner):
        for section in file.sections:
            if is_table(file, section):
                for function in _of(file, section):
                    other = best.get(function.address)
                    if other is None or function.rank < other.rank:
                        best[function.address] = function
    base = elf.image_base
    lines = [_line(best[address], base) for address in sorted(best) if address >= base]
    return "\n".join(["MODULE Linux x86_64 000000000000000000000000000000000 -", *lines]).encode()


def _of(elf: Elf, table: Section) -> Iterator[Function]:
    strings = elf.load(elf.sections[table.link])
    yield from functions(elf.load(table), lambda at: strings[at : at + MAX_NAME])


def _line(function: Function, base: int) -> str:
    name = " ".join(function.name.decode("utf-8", "replace").split())
    start = function.address - base
    if function.size:
        return f"FUNC {start:x} {function.size:x} 0 {name}"
    return f"PUBLIC {start:x} 0 {name}"


def _unpacked(data: bytes) -> bytes:
    try:
        import lzma
    except ImportError:
        raise FormatError("this Python was built without lzma") from None
    try:
        reader = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_DICTIONARY_BYTES)
        return reader.decompress(data, MAX_DECOMPRESSED_BYTES)
    except lzma.LZMAError as error:
        raise FormatError(f"{COMPRESSED} does not decompress: {error}") from None
