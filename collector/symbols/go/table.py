"""Functions, files, lines and inlined calls of a Go program, as its own runtime looks them up.

    functions    code · function, sorted by code
    function     name · files by code · lines by code · calls by code · …
    calls        name · the code of the function that it was called from

Of a stripped program too, and with nothing to build: what an address needs is read when it comes.
Go 1.18 and newer; inlined calls since 1.20 (runtime/symtab.go, runtime/symtabinl.go of Go).
"""

import mmap
import struct
import tempfile
from array import array
from bisect import bisect_right
from typing import NamedTuple

from collector.elf.file import Elf, Section
from collector.symbols.go.module import Module, find_module
from collector.symbols.location import Location
from profiler.errors import FormatError

MAX_TABLE_BYTES = 256 << 20
"""Terraform's has 26 MB, for 102,000 functions."""
MAX_CALLS_BYTES = 16 << 20
MAX_STEPS = 2 << 20
"""Values decoded of one file, of 8 bytes each; beyond it, functions have no lines."""
MAX_INLINED = 64
MAX_PADDING = 64
"""Bytes between the last function and the end of the section; 16 were seen."""
MAX_NAME = 4096

_MAGIC_1_20 = 0xFFFFFFF1
_HEADER = struct.Struct("<I2xBxQ16x5Q")
_ENTRY = struct.Struct("<II")
_FUNCTION = struct.Struct("<4xi12x4I")
_CALL = struct.Struct("<4xii4x")
_CALLS_BY_CODE, _CALLS = 2, 3  # PCDATA_InlTreeIndex, FUNCDATA_InlTree of internal/abi/symtab.go
_NONE = 0xFFFFFFFF
_PIECE = 1 << 20

_ByCode = tuple["array[int]", "array[int]"]
_BROKEN = (struct.error, IndexError, ValueError, OverflowError)


def read_go_table(elf: Elf) -> "GoTable | None":
    """None where the file has none. Raises FormatError where it cannot be read, and OSError where
    there is no room for a copy."""
    module = find_module(elf)
    if module is None:
        return None
    if not _HEADER.size <= module.size <= MAX_TABLE_BYTES:
        raise FormatError(f"a table of Go functions in {module.size} bytes")
    return GoTable(elf, module)


class _Function(NamedTuple):
    """`at` is where its record stands; the others are offsets into tables, 0 where there is no
    table, but for `units`, from which files count."""

    at: int
    name: int
    files: int
    lines: int
    by_code: int
    units: int


class GoTable:
    """The `Names` of a Go program. Keeps a copy of its table in a file without a name, which
    counts as page cache."""

    def __init__(self, elf: Elf, module: Module) -> None:
        self._text = module.text
        self._data = self._calls = _copy(elf, module.table, module.size)
        header: tuple[int, ...] = _HEADER.unpack_from(self._data)
        magic, self._quantum, self._count, *places = header
        self._names, self._units, self._files, self._by_code, self._functions = places
        if self._functions + self._count * _ENTRY.size > len(self._data):
            raise FormatError(f"{self._count} Go functions are more than there is room for")
        self._inlines = magic == _MAGIC_1_20 and module.inlined != 0
        self._calls_at = module.inlined - module.table
        if self._inlines and not 0 <= self._calls_at < module.size:
            self._calls, self._calls_at = _copy(elf, module.inlined, MAX_CALLS_BYTES), 0
        self._fixed_bytes = 44 if magic == _MAGIC_1_20 else 40
        self._decoded: dict[int, _ByCode] = {}
        self._steps = 0
        self.size = module.size + (len(self._calls) if self._calls is not self._data else 0)

    def covers(self, section: Section) -> bool:
        """Whether all code of a section is Go's."""
        end = self._text + self._start(self._count) + MAX_PADDING
        return self._text <= section.address and section.address + section.size <= end

    def lookup(self, address: int) -> list[Location]:
        """See `Names`."""
        code = address - self._text
        try:
            index = bisect_right(range(self._count), code, key=self._start) - 1
            if index < 0 or code >= self._start(self._count):
                return []
            start, at = _ENTRY.unpack_from(self._data, self._functions + index * _ENTRY.size)
            function = _Function(at, *_FUNCTION.unpack_from(self._data, self._functions + at))
            name = self._string(self._names + function.name)
        except _BROKEN:
            return []
        try:
            inlined, file, line = self._inlined(function, code - start)
        except _BROKEN:
            inlined, file, line = [], "", 0
        return [Location(name, file, line, self._text + start), *inlined]

    def _inlined(self, function: _Function, code: int) -> tuple[list[Location], str, int]:
        """The calls that were inlined at a place of a function, and its own file and line."""
        found: list[Location] = []
        while True:
            call = self._call(function, code)
            if call >= 0 and not self._inlines:
                return [], "", 0
            file, line = self._file(function, code), max(self._value(function.lines, code), 0)
            if call < 0 or len(found) == MAX_INLINED:
                return found[::-1], file, line
            name, code = _CALL.unpack_from(
                self._calls, self._calls_of(function) + call * _CALL.size
            )
            found.append(Location(self._string(self._names + name), file, line, 0))

    def _call(self, function: _Function, code: int) -> int:
        """The number of the innermost inlined call at a place; -1 for none."""
        if function.by_code <= _CALLS_BY_CODE:
            return -1
        return self._value(self._u32(self._extra(function) + 4 * _CALLS_BY_CODE), code)

    def _calls_of(self, function: _Function) -> int:
        at = self._extra(function) + 4 * (function.by_code + _CALLS)
        return self._calls_at + self._u32(at)

    def _extra(self, function: _Function) -> int:
        """Where its offsets of further tables stand: those by code, then the others."""
        return self._functions + function.at + self._fixed_bytes

    def _file(self, function: _Function, code: int) -> str:
        number = self._value(function.files, code)
        place = self._u32(self._units + 4 * (function.units + number)) if number >= 0 else _NONE
        return self._string(self._files + place) if place != _NONE else ""

    def _value(self, table: int, code: int) -> int:
        """What a table by code says of a place; -1 where it is none."""
        if table == 0:
            return -1
        if table not in self._decoded:
            self._decoded[table] = self._decode(self._by_code + table)
        ends, values = self._decoded[table]
        return values[bisect_right(ends, code)]

    def _decode(self, at: int) -> _ByCode:
        ends, values = array("I"), array("i")
        value, code = -1, 0
        while True:
            step, at = self._varint(at)
            if not step and ends:
                return ends, values
            self._steps += 1
            if self._steps > MAX_STEPS:
                raise ValueError("tables that overlap without an end")
            value += (step >> 1) ^ -(step & 1)
            advance, at = self._varint(at)
            code += advance * self._quantum
            ends.append(code)
            values.append(value)

    def _varint(self, at: int) -> tuple[int, int]:
        number = shift = 0
        while True:
            byte = self._data[at]
            number |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80 or shift > 28:
                return number, at

    def _start(self, index: int) -> int:
        """Where a function begins, counted from the text; of the one after the last: where all
        end."""
        return self._u32(self._functions + index * _ENTRY.size)

    def _u32(self, at: int) -> int:
        return int.from_bytes(self._data[at : at + 4], "little")

    def _string(self, at: int) -> str:
        end = self._data.find(b"\0", at, at + MAX_NAME)
        if at < 0 or end < 0:
            raise ValueError(f"no name at {at}")
        return self._data[at:end].decode("utf-8", "replace")


def _copy(elf: Elf, address: int, size: int) -> mmap.mmap:
    """Up to `size` bytes of a program from an address on, in a file without a name."""
    with tempfile.TemporaryFile() as file:
        for at in range(0, size, _PIECE):
            piece = elf.at(address + at, min(_PIECE, size - at))
            file.write(piece)
            if not piece:
                break
        if not file.tell():
            raise FormatError(f"nothing is loaded at {address:#x}")
        file.flush()
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
