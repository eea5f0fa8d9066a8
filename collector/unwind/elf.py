"""The part of an ELF file that unwinding reads: its segments, its sections and their bytes.

Bytes come through a `Source`, so that a file (by descriptor), an image in another process's memory
(the vdso) and a test's bytes are read alike. Files are read with pread and never mapped: whoever
owns the file may truncate it meanwhile, and a read then comes back short, where a mapping would
kill the reader with SIGBUS.

Format: System V ABI, chapters 4 and 5 (https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html).
"""

import os
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from profiler.errors import FormatError

Source = Callable[[int, int], bytes]
"""`source(offset, size)` is up to `size` bytes from `offset`; fewer only at the end."""

MAGIC = b"\x7fELF"
MACHINES = {62: "x86_64"}
"""e_machine of the architectures whose unwind rules are known."""

MAX_SEGMENTS = 1024
MAX_SECTIONS = 65_536
MAX_PLACES = 1000
"""Occurrences of a name in a string table that are looked at; linkers leave one or two."""
MAX_SECTION_BYTES = 128 << 20
"""The largest .eh_frame seen (rustc's libLLVM) has 8 MB; the cap only bounds a broken header."""

PT_LOAD, PT_GNU_EH_FRAME = 1, 0x6474E550
PF_X = 1
SHT_SYMTAB, SHT_DYNSYM, SHT_NOBITS = 2, 11, 8
SHF_COMPRESSED = 0x800
ELFCOMPRESS_ZLIB = 1

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_COMPRESSION = struct.Struct("<IIQQ")

SYMBOL = np.dtype(
    [
        ("name", "<u4"),
        ("info", "u1"),
        ("other", "u1"),
        ("section", "<u2"),
        ("value", "<u8"),
        ("size", "<u8"),
    ]
)


@dataclass(frozen=True, slots=True)
class Segment:
    """`size` bytes of the file from `offset`, mapped from the virtual address `address`."""

    kind: int
    flags: int
    offset: int
    address: int
    size: int


@dataclass(frozen=True, slots=True)
class Section:
    name: str
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int = 0


@dataclass(frozen=True, slots=True)
class Elf:
    """A 64-bit little-endian ELF file of a known machine."""

    source: Source
    machine: str
    entry: int
    segments: tuple[Segment, ...]
    sections: tuple[Section, ...]

    def executable(self) -> tuple[Segment, ...]:
        """The loaded segments that hold code, as the program headers order them."""
        return tuple(s for s in self.segments if s.kind == PT_LOAD and s.flags & PF_X)

    def section(self, name: str) -> Section | None:
        """The section of that name, if it has bytes in the file."""
        named = (s for s in self.sections if s.name == name and s.kind != SHT_NOBITS and s.size)
        return next(named, None)

    def addresses(self, names: Iterable[bytes]) -> set[int]:
        """Where the symbols of these names are, as far as it has a symbol table."""
        found: set[int] = set()
        for section in self.sections:
            if section.kind in (SHT_SYMTAB, SHT_DYNSYM) and section.link < len(self.sections):
                text = self.load(self.sections[section.link])
                data = self.load(section)
                symbols = np.frombuffer(data, SYMBOL, len(data) // SYMBOL.itemsize)
                places = [place for name in names for place in _places(text, name)]
                found |= set(symbols["value"][np.isin(symbols["name"], places)].tolist())
        return found

    def load(self, section: Section) -> bytes:
        """The section's bytes, decompressed."""
        data = _read(self.source, section.offset, section.size, section.name)
        return _decompress(data, section.name) if section.flags & SHF_COMPRESSED else data


def of_descriptor(descriptor: int) -> Source:
    """The file behind a descriptor; a failing read is a FormatError."""

    def read(offset: int, size: int) -> bytes:
        try:
            return os.pread(descriptor, size, offset)
        except (OSError, OverflowError) as error:
            raise FormatError(f"cannot read {size} bytes at {offset:#x}: {error}") from None

    return read


def of_bytes(image: bytes) -> Source:
    """An image that is already in memory."""
    return lambda offset, size: image[offset : offset + size]


def read(source: Source) -> Elf:
    """The headers of an ELF file; FormatError says what is wrong with them."""
    (ident, _, machine, _, entry, phoff, shoff, _, _, phentsize, phnum, shentsize, shnum, names) = (
        _HEADER.unpack(_read(source, 0, _HEADER.size, "the ELF header"))
    )
    if ident[:6] != MAGIC + b"\x02\x01":
        raise FormatError(f"expected a 64-bit little-endian ELF file, got {ident[:6].hex(' ')}")
    if machine not in MACHINES:
        raise FormatError(f"no unwind rules for the ELF machine {machine}, only for {MACHINES}")
    if phentsize != _SEGMENT.size and phnum:
        raise FormatError(f"expected program headers of {_SEGMENT.size} bytes, got {phentsize}")
    if phnum > MAX_SEGMENTS:
        raise FormatError(f"{phnum} program headers are more than {MAX_SEGMENTS}")
    segments = _read(source, phoff, phnum * phentsize, "the program headers")
    return Elf(
        source=source,
        machine=MACHINES[machine],
        entry=entry,
        segments=tuple(
            Segment(kind, flags, offset, address, size)
            for kind, flags, offset, address, _, size, _, _ in _SEGMENT.iter_unpack(segments)
        ),
        sections=_sections(source, shoff, shnum if shentsize == _SECTION.size else 0, names),
    )


def _sections(source: Source, offset: int, count: int, names: int) -> tuple[Section, ...]:
    """The section headers; none where the file was stripped of them, as its loader needs none."""
    table = source(offset, min(count, MAX_SECTIONS) * _SECTION.size) if offset else b""
    whole = len(table) - len(table) % _SECTION.size
    headers = list(_SECTION.iter_unpack(table[:whole]))
    if names >= len(headers):
        return ()
    _, _, _, _, start, size, _, _, _, _ = headers[names]
    text = _read(source, start, size, "the section names")
    return tuple(
        Section(_name(text, name), kind, flags, address, start, size, link)
        for name, kind, flags, address, start, size, link, _, _, _ in headers
    )


def _places(text: bytes, name: bytes) -> Iterator[int]:
    """Where a string table has the name, also as the end of a longer one."""
    at = text.find(name + b"\0")
    for _ in range(MAX_PLACES):
        if at < 0:
            break
        yield at
        at = text.find(name + b"\0", at + 1)


def _name(text: bytes, start: int) -> str:
    return text[start : start + 64].partition(b"\0")[0].decode("ascii", "replace")


def _read(source: Source, offset: int, size: int, what: str) -> bytes:
    if size > MAX_SECTION_BYTES:
        raise FormatError(f"{what} has {size} bytes, more than {MAX_SECTION_BYTES}")
    data = source(offset, size)
    if len(data) != size:
        raise FormatError(f"{what} ends after {len(data)} of its {size} bytes")
    return data


def _decompress(data: bytes, name: str) -> bytes:
    if len(data) < _COMPRESSION.size:
        raise FormatError(f"{name} is too short to be compressed: {len(data)} bytes")
    kind, _, size, _ = _COMPRESSION.unpack_from(data)
    if kind != ELFCOMPRESS_ZLIB or not 0 < size <= MAX_SECTION_BYTES:
        raise FormatError(f"{name} is compressed by method {kind} to {size} bytes: expected zlib")
    try:
        plain = zlib.decompressobj().decompress(data[_COMPRESSION.size :], size)
    except zlib.error as error:
        raise FormatError(f"{name} does not decompress: {error}") from None
    if len(plain) != size:
        raise FormatError(f"{name} decompresses to {len(plain)} bytes instead of {size}")
    return plain
