"""The build-id of an ELF file: a note that its linker left, the same in its separate debug file.

A note is three words (size of the name, size of the contents, type), the name and the contents,
each padded to 4 bytes (System V ABI, chapter 5; elf(5)).
"""

import struct

from collector.elf.file import PT_NOTE, Elf
from profiler.errors import FormatError

MAX_NOTES = 8
MAX_NOTES_BYTES = 64 << 10
MAX_BUILD_ID = 64
SECTION = ".note.gnu.build-id"

_NT_GNU_BUILD_ID = 3


def build_id(elf: Elf) -> str:
    """Hexadecimal; "" where the file has none that can be read."""
    places = [(s.offset, s.size) for s in elf.segments if s.kind == PT_NOTE]
    # Go's linker leaves this section out of the segment of notes.
    places += [(s.offset, s.size) for s in elf.sections if s.name == SECTION]
    for offset, size in places[:MAX_NOTES]:
        try:
            notes = elf.source(offset, min(size, MAX_NOTES_BYTES))
        except FormatError:
            continue
        if found := parse_build_id(notes, elf.order):
            return found
    return ""


def parse_build_id(notes: bytes, order: str = "<") -> str:
    """The GNU build-id, hexadecimal, among notes; "" where there is none or notes are cut."""
    at = 0
    while at + 12 <= len(notes):
        name_size, size, kind = struct.unpack_from(order + "3I", notes, at)
        body = at + 12 + _aligned(name_size)
        if kind == _NT_GNU_BUILD_ID and notes[at + 12 : at + 16] == b"GNU\0" and name_size == 4:
            found = notes[body : body + size]
            return found.hex() if len(found) == size <= MAX_BUILD_ID else ""
        at = body + _aligned(size)
    return ""


def _aligned(size: int) -> int:
    return (size + 3) & ~3
