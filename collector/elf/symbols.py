"""Addresses of a few symbols of an ELF file: those of data too, which symbolizers leave out.

>>> read_symbols(elf, SHT_DYNSYM).find(["_PyRuntime"])
{'_PyRuntime': Symbol(address=5519552, size=200528)}
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.elf.file import Elf

SHT_SYMTAB, SHT_DYNSYM = 2, 11
MAX_TABLE_BYTES = 32 << 20
"""Of one symbol table: 1.4 million symbols. libpython with debug symbols has 0.4 MB."""
MAX_PLACES = 1000
"""Occurrences of a name in a string table that are looked at; linkers leave one or two."""

ROW = np.dtype(
    [
        ("name", "<u4"),
        ("info", "u1"),
        ("other", "u1"),
        ("section", "<u2"),
        ("address", "<u8"),
        ("size", "<u8"),
    ]
)


@dataclass(frozen=True, slots=True)
class Symbol:
    """Virtual address and size in bytes."""

    address: int
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class SymbolTable:
    """Rows of `Elf64_Sym`, and the text that their names lie in."""

    rows: NDArray[np.void]
    strings: bytes

    def find(self, names: Iterable[str]) -> dict[str, Symbol]:
        """Those of the names that the file defines."""
        found = {}
        for name in names:
            named = np.isin(self.rows["name"], list(_places(self.strings, name.encode())))
            for index in np.flatnonzero(named & (self.rows["section"] != 0))[:1].tolist():
                row = self.rows[index]
                found[name] = Symbol(int(row["address"]), int(row["size"]))
        return found


EMPTY = SymbolTable(np.zeros(0, ROW), b"")


def read_symbols(elf: Elf, kind: int) -> SymbolTable:
    """The symbol table of SHT_SYMTAB or SHT_DYNSYM; empty where a 64-bit little-endian file has
    none, in files of another kind, and where it is larger than any that we read.

    Raises FormatError where it is cut.
    """
    table = next((section for section in elf.sections if section.kind == kind), None)
    if table is None or not elf.wide or elf.order != "<" or table.link >= len(elf.sections):
        return EMPTY
    strings = elf.sections[table.link]
    if max(table.size, strings.size) > MAX_TABLE_BYTES:
        return EMPTY
    rows = elf.load(table)
    return SymbolTable(np.frombuffer(rows, ROW, len(rows) // ROW.itemsize), elf.load(strings))


def _places(text: bytes, name: bytes) -> Iterator[int]:
    """Where a string table has the name, also as the end of a longer one: linkers store such names
    once."""
    at = text.find(name + b"\0")
    for _ in range(MAX_PLACES):
        if at < 0:
            break
        yield at
        at = text.find(name + b"\0", at + 1)
