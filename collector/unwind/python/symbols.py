"""Addresses of a few symbols of an ELF file: those of data too, which symbolizers leave out.

>>> find(elf, ["_PyRuntime"])["_PyRuntime"].address
5519552
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collector.unwind.elf import Elf

MAX_TABLE_BYTES = 32 << 20
"""Of one symbol table: 1.4 million symbols. libpython with debug symbols has 0.4 MB."""

_SYMBOL = np.dtype(
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


def find(elf: Elf, names: Sequence[str]) -> dict[str, Symbol]:
    """Those of the names that the file exports, or, if it exports nothing at all, defines.

    An interpreter exports its symbols to its extension modules. To look further would be to read
    the megabytes of symbols of every program that has nothing to do with Python.
    """
    exported = _load(elf, ".dynsym")
    if exported:
        return _search(exported, _load(elf, ".dynstr"), names)
    return find_local(elf, names)


def find_local(elf: Elf, names: Sequence[str]) -> dict[str, Symbol]:
    """Those of the names that the file's own symbol table has, which is stripped as a rule."""
    return _search(_load(elf, ".symtab"), _load(elf, ".strtab"), names)


def _search(table: bytes, strings: bytes, names: Sequence[str]) -> dict[str, Symbol]:
    symbols = np.frombuffer(table, _SYMBOL, len(table) // _SYMBOL.itemsize)
    found = {}
    for name in names:
        # A name may also be the tail of a longer one: linkers store such names once.
        pattern = re.escape(name.encode()) + rb"\0"
        places = [match.start() for match in re.finditer(pattern, strings)]
        defined = np.isin(symbols["name"], places) & (symbols["section"] != 0)
        for index in np.flatnonzero(defined)[:1].tolist():
            row = symbols[index]
            found[name] = Symbol(int(row["address"]), int(row["size"]))
    return found


def _load(elf: Elf, name: str) -> bytes:
    section = elf.section(name)
    if section is None or section.size > MAX_TABLE_BYTES:
        return b""
    return elf.load(section)
