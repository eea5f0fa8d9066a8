"""An ELF file: its segments, its sections and their bytes.

    >>> with open("/bin/true", "rb") as file:
    ...     elf = read_elf(of_descriptor(file.fileno()))
    >>> elf.architecture, elf.section(".text").size
    ('x86_64', 12849)

Headers are read at once, contents when they are asked for, of either byte order and word size.

Format: System V ABI, chapters 4 and 5 (https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html).
"""

import struct
import zlib
from dataclasses import dataclass
from typing import NamedTuple

from collector.elf.source import Source
from profiler.errors import FormatError

MAGIC = b"\x7fELF"

MAX_SEGMENTS = 1024
MAX_SECTIONS = 4096
"""Linked files have 30 to 50, a kernel module some hundreds."""
MAX_NAMES_BYTES = 256 << 10
MAX_SECTION_NAME = 64
MAX_SECTION_BYTES = 128 << 20
"""The largest .eh_frame seen (rustc's libLLVM) has 8 MB; the cap only bounds a broken header."""

PT_LOAD, PT_NOTE, PT_GNU_EH_FRAME = 1, 4, 0x6474E550
PF_X = 1
SHT_NOBITS = 8
SHF_ALLOC, SHF_COMPRESSED = 0x2, 0x800
ELFCOMPRESS_ZLIB = 1

_ARCHITECTURES = {(62, True, "<"): "x86_64"}
"""By e_machine, 64 bits, byte order. x32 has the same e_machine with 32 bits."""


class _Layout(NamedTuple):
    """struct's words for the headers of one word size."""

    header: str
    segment: str
    section: str
    compression: str


_LAYOUTS = {
    True: _Layout("HHIQQQIHHHHHH", "IIQQQQQQ", "IIQQQQIIQQ", "IIQQ"),
    False: _Layout("HHIIIIIHHHHHH", "IIIIIIII", "IIIIIIIIII", "III"),
}
_IDENT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Segment:
    """`size` bytes of the file from `offset`, mapped from the virtual address `address`."""

    kind: int
    flags: int
    offset: int
    address: int
    size: int

    @property
    def executable(self) -> bool:
        return self.kind == PT_LOAD and bool(self.flags & PF_X)


@dataclass(frozen=True, slots=True)
class Section:
    name: str
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int = 0
    entry_size: int = 0

    def holds(self, address: int) -> bool:
        return 0 <= address - self.address < self.size


@dataclass(frozen=True, slots=True)
class Elf:
    """`machine` is the e_machine of elf.h, `wide` tells 64 bits, `order` is struct's byte order.
    A file may have no sections: its loader needs none."""

    source: Source
    machine: int
    wide: bool
    order: str
    entry: int
    segments: tuple[Segment, ...]
    sections: tuple[Section, ...] = ()

    @property
    def architecture(self) -> str:
        """The one whose code we can read; "" where it is another."""
        return _ARCHITECTURES.get((self.machine, self.wide, self.order), "")

    @property
    def image_base(self) -> int:
        """The address of the first segment that is loaded."""
        return next((s.address for s in self.segments if s.kind == PT_LOAD), 0)

    def executable(self) -> tuple[Segment, ...]:
        """The loaded segments that hold code, as the program headers order them."""
        return tuple(segment for segment in self.segments if segment.executable)

    def at(self, address: int, size: int) -> bytes:
        """Up to `size` bytes of the file that are loaded at a virtual address; empty where there
        are none."""
        for segment in self.segments:
            skip = address - segment.address
            if segment.kind == PT_LOAD and 0 <= skip < segment.size:
                return self.source(segment.offset + skip, min(size, segment.size - skip))
        return b""

    def section(self, name: str) -> Section | None:
        """The section of that name, if it has bytes in the file."""
        named = (s for s in self.sections if s.name == name and s.kind != SHT_NOBITS and s.size)
        return next(named, None)

    def load(self, section: Section) -> bytes:
        """The section's bytes, decompressed."""
        data = read_exactly(self.source, section.offset, section.size, section.name)
        return self._decompressed(data, section.name) if section.flags & SHF_COMPRESSED else data

    def _decompressed(self, data: bytes, name: str) -> bytes:
        layout = struct.Struct(self.order + _LAYOUTS[self.wide].compression)
        if len(data) < layout.size:
            raise FormatError(f"{name} is too short to be compressed: {len(data)} bytes")
        kind, *_, size, _ = layout.unpack_from(data)
        if kind != ELFCOMPRESS_ZLIB or not 0 < size <= MAX_SECTION_BYTES:
            raise FormatError(
                f"{name} is compressed by method {kind} to {size} bytes: expected zlib"
            )
        try:
            plain = zlib.decompressobj().decompress(data[layout.size :], size)
        except zlib.error as error:
            raise FormatError(f"{name} does not decompress: {error}") from None
        if len(plain) != size:
            raise FormatError(f"{name} decompresses to {len(plain)} bytes instead of {size}")
        return plain


def read_elf(source: Source) -> Elf:
    """The headers of an ELF file; FormatError says what is wrong with them."""
    ident = read_exactly(source, 0, _IDENT_BYTES, "the ELF header")
    if ident[:4] != MAGIC or ident[4] not in (1, 2) or ident[5] not in (1, 2):
        raise FormatError(f"not an ELF file: it begins with {ident[:6].hex(' ')}")
    wide, order = ident[4] == 2, "<>"[ident[5] - 1]
    layout = _LAYOUTS[wide]
    header = struct.Struct(order + layout.header)
    (_, machine, _, entry, phoff, shoff, _, _, phentsize, phnum, shentsize, shnum, names) = (
        header.unpack(read_exactly(source, _IDENT_BYTES, header.size, "the ELF header"))
    )
    return Elf(
        source=source,
        machine=machine,
        wide=wide,
        order=order,
        entry=entry,
        segments=_segments(source, struct.Struct(order + layout.segment), phoff, phentsize, phnum),
        sections=_sections(
            source, struct.Struct(order + layout.section), shoff, shentsize, shnum, names
        ),
    )


def _segments(
    source: Source, layout: struct.Struct, offset: int, stride: int, count: int
) -> tuple[Segment, ...]:
    if stride != layout.size and count:
        raise FormatError(f"expected program headers of {layout.size} bytes, got {stride}")
    if count > MAX_SEGMENTS:
        raise FormatError(f"{count} program headers are more than {MAX_SEGMENTS}")
    rows = layout.iter_unpack(read_exactly(source, offset, stride * count, "the program headers"))
    if layout.size == struct.calcsize(_LAYOUTS[False].segment):
        return tuple(
            Segment(kind, flags, start, address, size)
            for kind, start, address, _, size, _, flags, _ in rows
        )
    return tuple(
        Segment(kind, flags, start, address, size)
        for kind, flags, start, address, _, size, _, _ in rows
    )


def _sections(
    source: Source, layout: struct.Struct, offset: int, stride: int, count: int, names: int
) -> tuple[Section, ...]:
    """Those that can be read; none where the file was stripped of their headers."""
    if stride != layout.size or not offset:
        return ()
    table = source(offset, min(count, MAX_SECTIONS) * stride)
    headers = list(layout.iter_unpack(table[: len(table) // stride * stride]))
    if names >= len(headers):
        return ()
    _, _, _, _, start, size, _, _, _, _ = headers[names]
    text = read_exactly(source, start, min(size, MAX_NAMES_BYTES), "the section names")
    return tuple(
        Section(_name(text, name), kind, flags, address, start, size, link, entry_size)
        for name, kind, flags, address, start, size, link, _, _, entry_size in headers
    )


def _name(text: bytes, start: int) -> str:
    return text[start : start + MAX_SECTION_NAME].partition(b"\0")[0].decode("ascii", "replace")


def read_exactly(source: Source, offset: int, size: int, what: str) -> bytes:
    """All of `size` bytes, or a FormatError that names `what` was to be read."""
    if size > MAX_SECTION_BYTES:
        raise FormatError(f"{what} has {size} bytes, more than {MAX_SECTION_BYTES}")
    data = source(offset, size)
    if len(data) != size:
        raise FormatError(f"{what} ends after {len(data)} of its {size} bytes")
    return data
