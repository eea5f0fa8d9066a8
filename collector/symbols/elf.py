"""What the profiler itself needs of an ELF file: its build-id, its segments and its sections.

Functions and lines are read by others (see `worker`). This is a small, bounded reader of headers
(System V ABI, chapters 4 and 5; elf(5)), because the file is whatever someone has mapped:

    >>> with open("/bin/true", "rb") as file:
    ...     elf = parse_elf(lambda offset, size: os.pread(file.fileno(), size, offset))
    >>> len(elf.build_id)
    40
"""

import mmap
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from profiler.errors import FormatError

ReadAt = Callable[[int, int], bytes]
"""(offset, size) -> at most `size` bytes of the file."""

MAX_SEGMENTS = 256
MAX_SECTIONS = 4096
MAX_NOTES = 8
MAX_NOTES_BYTES = 64 << 10
MAX_NAMES_BYTES = 256 << 10
MAX_SECTION_NAME = 64
MAX_BUILD_ID = 64

_PT_LOAD, _PT_NOTE = 1, 4
_PF_X = 1
_NT_GNU_BUILD_ID = 3


@dataclass(frozen=True, slots=True)
class Segment:
    """A PT_LOAD program header: `size` bytes of the file from `offset` on stand at `vaddr`."""

    offset: int
    vaddr: int
    size: int
    executable: bool


@dataclass(frozen=True, slots=True)
class Section:
    name: str
    address: int
    offset: int
    size: int
    entry_size: int = 0


@dataclass(frozen=True, slots=True)
class Elf:
    """`build_id` is hexadecimal, "" where the file has none; `machine` is the e_machine of elf.h.

    `sections` are those that stand in memory when the program runs; a file may have none.
    """

    machine: int
    build_id: str
    segments: tuple[Segment, ...]
    sections: tuple[Section, ...] = ()

    @property
    def image_base(self) -> int:
        """The address of the first segment, from which `symbolic` counts its addresses."""
        return self.segments[0].vaddr if self.segments else 0

    def holds_code(self, vaddr: int) -> bool:
        """Whether an address lies in a section, and not in the padding between them, which
        symbol tables give to the last function before it. True if sections are unknown."""
        sections = self.sections
        return not sections or any(0 <= vaddr - s.address < s.size for s in sections)

    def vaddr(self, offset: int) -> int | None:
        """The virtual address of a byte of the file that is mapped executable.

        The kernel maps whole pages, so the first and the last page of a segment show some bytes
        of its neighbours too: a segment that holds the byte itself comes first.
        """
        for page in (1, mmap.PAGESIZE):
            for segment in self.segments:
                begin = segment.offset // page * page
                end = -(-(segment.offset + segment.size) // page) * page
                if segment.executable and begin <= offset < end:
                    return segment.vaddr + offset - segment.offset
        return None


@dataclass(frozen=True, slots=True)
class _Header:
    order: str
    wide: bool
    machine: int
    segments_at: int
    segment_size: int
    segment_count: int
    sections_at: int
    section_size: int
    section_count: int
    name_section: int


def parse_elf(read: ReadAt) -> Elf:
    """Raises FormatError for what is not ELF, or is cut or out of bounds."""
    header = _header(read)
    sections = _sections(read, header)
    segments, notes = [], []
    for kind, flags, offset, vaddr, size in _program_headers(read, header):
        if kind == _PT_LOAD:
            segments.append(Segment(offset, vaddr, size, bool(flags & _PF_X)))
        elif kind == _PT_NOTE:
            notes.append((offset, size))
    # Go's linker leaves this section out of the segment of notes.
    notes += [(s.offset, s.size) for s in sections if s.name == ".note.gnu.build-id"]
    build_id = ""
    for offset, size in notes[:MAX_NOTES]:
        data = _at(read, offset, min(size, MAX_NOTES_BYTES))
        build_id = build_id or parse_build_id(data, header.order)
    return Elf(header.machine, build_id, tuple(segments), sections)


def _sections(read: ReadAt, header: _Header) -> tuple[Section, ...]:
    table = list(_section_headers(read, header))
    if header.name_section >= len(table):
        return ()
    _, _, _, offset, size, _ = table[header.name_section]
    names = _at(read, offset, min(size, MAX_NAMES_BYTES))
    return tuple(
        Section(_string(names, name), *place)
        for name, flags, *place in table
        if flags & 2  # SHF_ALLOC
    )


def _string(table: bytes, at: int) -> str:
    return table[at : at + MAX_SECTION_NAME].partition(b"\0")[0].decode("ascii", "replace")


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


def _header(read: ReadAt) -> _Header:
    data = _at(read, 0, 64)
    if data[:4] != b"\x7fELF" or len(data) < 52 or data[4] not in (1, 2):
        raise FormatError(f"not an ELF file: it begins with {data[:5]!r}")
    wide, order = data[4] == 2, ">" if data[5] == 2 else "<"
    layout = order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH")
    if len(data) < 16 + struct.calcsize(layout):
        raise FormatError(f"an ELF header that is cut after {len(data)} bytes")
    fields = struct.unpack_from(layout, data, 16)
    _, machine, _, _, segments_at, sections_at, _, _, *table = fields
    segment_size, segment_count, section_size, section_count, name_section = table
    return _Header(
        order, wide, machine,
        segments_at, segment_size, min(segment_count, MAX_SEGMENTS),
        sections_at, section_size, min(section_count, MAX_SECTIONS), name_section,
    )  # fmt: skip


def _program_headers(read: ReadAt, header: _Header) -> Iterator[tuple[int, ...]]:
    """(type, flags, offset, virtual address, size in the file) of each."""
    layout = struct.Struct(header.order + ("IIQQQQQQ" if header.wide else "IIIIIIII"))
    rows = _rows(read, header.segments_at, header.segment_size, header.segment_count, layout)
    for row in rows:
        if header.wide:
            kind, flags, offset, vaddr, _, size, _, _ = row
        else:
            kind, offset, vaddr, _, size, _, flags, _ = row
        yield kind, flags, offset, vaddr, size


def _section_headers(read: ReadAt, header: _Header) -> Iterator[tuple[int, ...]]:
    """(offset of the name, flags, address, offset, size, size of an entry) of each."""
    layout = struct.Struct(header.order + ("IIQQQQIIQQ" if header.wide else "IIIIIIIIII"))
    rows = _rows(read, header.sections_at, header.section_size, header.section_count, layout)
    for name, _, flags, address, offset, size, _, _, _, entry_size in rows:
        yield name, flags, address, offset, size, entry_size


def _rows(
    read: ReadAt, offset: int, stride: int, count: int, layout: struct.Struct
) -> Iterator[tuple[int, ...]]:
    if count and stride != layout.size:
        raise FormatError(f"an ELF table with entries of {stride} bytes, not {layout.size}")
    data = _at(read, offset, stride * count)
    yield from layout.iter_unpack(data[: len(data) // layout.size * layout.size])


def _at(read: ReadAt, offset: int, size: int) -> bytes:
    """Offsets are the file's own words; beyond 2^63 the kernel would refuse them as negative."""
    return read(offset, size) if offset < 1 << 63 else b""
