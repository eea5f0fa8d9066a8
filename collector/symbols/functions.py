"""Functions of an ELF symbol table, and the names that a file keeps compressed.

Of several names for one address, the best known is shown: `malloc` and not `__libc_malloc`.

MiniDebugInfo is what Fedora and its relatives leave in stripped programs: the section
`.gnu_debugdata` is an ELF file, compressed by xz, whose symbol table has the functions that the
program does not export (https://sourceware.org/gdb/current/onlinedocs/gdb.html/MiniDebugInfo.html).
Both tables become one text as `symbolic` reads it, of Breakpad's format:

    FUNC 1139 1c 0 hidden
    PUBLIC 1160 0 _start
"""

import mmap
import struct
from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

from collector.elf.file import Elf, Section, read_elf
from collector.elf.source import of_bytes
from profiler.errors import FormatError

SYMBOL = struct.Struct("<IBBHQQ")  # Elf64_Sym of elf.h
SHT_SYMTAB, SHT_DYNSYM = 2, 11
SHF_EXECINSTR = 4
COMPRESSED = ".gnu_debugdata"
MAX_NAME = 1024
MAX_DECOMPRESSED_BYTES = 64 << 20
"""A million functions."""
MAX_DICTIONARY_BYTES = 128 << 20
"""xz -9 needs 65 MB to be undone."""

_NO_TYPE, FUNCTION = 0, 2
_BINDINGS = {1: 0, 2: 1, 0: 2}
"""Global names before weak ones before local ones."""

Rank = tuple[bool, int, int, int, bytes]


class Function(NamedTuple):
    """A row of a symbol table, the `number`th; `name` is where its name stands."""

    number: int
    name: int
    info: int
    address: int
    size: int


def functions(table: bytes) -> Iterator[Function]:
    """The functions that a table defines."""
    for number, (name, info, _, section, address, size) in enumerate(_rows(table)):
        if info & 15 == FUNCTION and section:
            yield Function(number, name, info, address, size)


def _rows(table: bytes) -> Iterator[tuple[int, ...]]:
    return SYMBOL.iter_unpack(table[: len(table) // SYMBOL.size * SYMBOL.size])


def labels(elf: Elf, table: bytes) -> list[int]:
    """The numbers of the rows that name code without saying that it is a function, where no
    function is: assembly as the dynamic loader's `_start`."""
    code = [bool(section.flags & SHF_EXECINSTR) for section in elf.sections]
    known: list[tuple[int, int]] = []
    free: list[tuple[int, int]] = []
    for number, (name, info, _, section, address, size) in enumerate(_rows(table)):
        if not 0 < section < len(code):
            continue
        if info & 15 == FUNCTION:
            known.append((address, size))
        elif info & 15 == _NO_TYPE and name and code[section]:
            free.append((number, address))
    if free:
        known.sort()
    return [number for number, address in free if not _holds(known, address)]


def _holds(functions: list[tuple[int, int]], address: int) -> bool:
    """Whether the last function that begins at or before an address reaches it."""
    before = bisect_left(functions, (address + 1, 0)) - 1
    if before < 0:
        return False
    start, size = functions[before]
    return address == start or address < start + size


def rank(function: Function, name: bytes) -> Rank:
    """Of several functions at an address, that of the lowest rank is shown; the name comes last."""
    underscores = len(name) - len(name.lstrip(b"_"))
    binding = _BINDINGS.get(function.info >> 4, 3)
    return function.size == 0, binding, underscores, len(name), name


def name_at(strings: "mmap.mmap | bytes", at: int) -> bytes:
    return strings[at : at + MAX_NAME].partition(b"\0")[0]


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
    best: dict[int, tuple[Rank, int]] = {}
    for file in (elf, inner):
        for section in file.sections:
            if is_table(file, section):
                strings = file.load(file.sections[section.link])
                for function in functions(file.load(section)):
                    known = rank(function, name_at(strings, function.name)), function.size
                    address = function.address - elf.image_base
                    best[address] = min(best.get(address, known), known)
    lines = [
        _line(address, size, known[-1]) for address, (known, size) in best.items() if address >= 0
    ]
    return "\n".join(["MODULE Linux x86_64 000000000000000000000000000000000 -", *lines]).encode()


def _line(address: int, size: int, name: bytes) -> str:
    text = " ".join(name.decode("utf-8", "replace").split())
    return f"FUNC {address:x} {size:x} 0 {text}" if size else f"PUBLIC {address:x} 0 {text}"


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
