"""Code objects in the memory of another process: their function, file and lines."""

import struct
import sys
from dataclasses import dataclass

from collector.processes.text import printable
from collector.unwind.python import abi
from collector.unwind.python.layouts import Layout, Lines
from collector.unwind.python.lines import DECODERS, Table
from collector.unwind.python.memory import Memory, Unread

MAX_NAME = 1024
MAX_FILE = 4096
MAX_LINES_BYTES = 256 << 10
"""Of a line table. The longest below lib/python3.13 has 58 KB, the mean 100 bytes; a function of
sympy that a program wrote has 700 KB, and is shown without lines."""

# PyASCIIObject and PyBytesObject, unchanged since 3.3: reference count, type, length; then the
# state of a str, or the hash of a bytes and its contents.
_LENGTH, _STATE = 16, 32
_BYTES = 32
_TEXT = struct.Struct("<q8xI")
# The state: 2 bits interned, 3 bits bytes a character, compact, ascii.
_COMPACT, _ASCII = 1 << 5, 1 << 6
_CODECS = {1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}


@dataclass(frozen=True, slots=True)
class Code:
    """`checksum` is the one that the kernel computes, of what it was when it was read. The line
    table stays as it is: decoded, it takes 40 times the memory."""

    function: str
    file: str
    checksum: int
    form: Lines
    table: bytes
    first: int

    def lines(self) -> Table:
        """The lines of its instructions."""
        return Table(DECODERS[self.form](self.table, self.first))

    @property
    def weight(self) -> int:
        """Bytes, at most: code objects share the names of files."""
        return 300 + len(self.table) + sys.getsizeof(self.function) + sys.getsizeof(self.file)


def read_code(memory: Memory, layout: Layout, address: int, code_type: int) -> Code:
    """The code object at an address. Raises Unread for anything else."""
    head = memory.exactly(address, layout.code_size)
    if _word(head, layout.code_type) != code_type:
        raise Unread(f"no code object at {address:#x}")
    (first,) = struct.unpack_from("<I", head, layout.code_line)
    file, name = _word(head, layout.code_file), _word(head, layout.code_name)
    lines = _word(head, layout.code_lines)
    return Code(
        function=printable(read_text(memory, layout, name, MAX_NAME)),
        file=sys.intern(printable(read_text(memory, layout, file, MAX_FILE), MAX_FILE)),
        checksum=abi.checksum(first, file, name, lines),
        form=layout.lines,
        table=_read_lines(memory, lines),
        first=first,
    )


def read_text(memory: Memory, layout: Layout, address: int, limit: int) -> str:
    """A str of at most `limit` characters."""
    length, state = _TEXT.unpack(memory.exactly(address + _LENGTH, _TEXT.size))
    width = state >> 2 & 7
    if not (0 <= length <= limit and state & _COMPACT and width in _CODECS):
        raise Unread(f"no text at {address:#x}: length {length}, state {state:#x}")
    start = address + (layout.text_ascii if state & _ASCII else layout.text_wide)
    return memory.exactly(start, length * width).decode(_CODECS[width], "replace")


def _read_lines(memory: Memory, address: int) -> bytes:
    length = memory.word(address + _LENGTH)
    if length > MAX_LINES_BYTES:
        return b""
    return memory.exactly(address + _BYTES, length)


def _word(data: bytes, offset: int) -> int:
    number: int = struct.unpack_from("<Q", data, offset)[0]
    return number
