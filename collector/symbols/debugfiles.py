"""Separate debug files: what was stripped from a program, kept beside it or in /usr/lib/debug.

A program names its debug file in two ways, which are looked up as gdb does
(https://sourceware.org/gdb/current/onlinedocs/gdb.html/Separate-Debug-Files.html):

    build-id abcdef…          /usr/lib/debug/.build-id/ab/cdef….debug
    .gnu_debuglink foo.debug  /opt/foo.debug, /opt/.debug/foo.debug, /usr/lib/debug/opt/foo.debug
                              for /opt/foo

first among our files, then among those of the process, which may be a container's. Whatever is
found must be the one that belongs to the program.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collector.elf.file import Elf, read_elf
from collector.elf.notes import build_id
from collector.elf.source import Source, of_descriptor
from collector.symbols.files import Unreadable, identity, open_inside, open_regular
from collector.symbols.program import Program
from profiler.errors import FormatError

DEBUG = b"/usr/lib/debug"
LINK = ".gnu_debuglink"
DWARF = (".debug_info", ".zdebug_info")
MAX_LINK_BYTES = 4096
MAX_CHECKED_BYTES = 256 << 20
"""Of a file that only its checksum ties to its program: 0.2 s of a drain."""
_PIECE = 1 << 20


class DebugFiles:
    """`debug` is our /usr/lib/debug."""

    def __init__(self, proc: Path, debug: Path) -> None:
        self._proc = proc
        self._debug = os.fsencode(debug)

    def open(self, program: Program) -> int | None:
        """The debug file of a program that has no DWARF itself.

        It must be root's or of the same owner: what another user has built does not speak for it.
        """
        if has_dwarf(program.elf):
            return None
        link = _link(program.elf)
        for fd in self._found(program, link):
            if fd is not None:
                if _belongs(fd, program.build_id, link):
                    return fd
                os.close(fd)
        return None

    def _found(self, program: Program, link: "_Link | None") -> Iterator[int | None]:
        file, root = program.file, os.fsencode(self._proc / str(program.pid) / "root")

        def accept(found: os.stat_result) -> bool:
            same = (found.st_dev, found.st_ino) == (file.device, file.inode)
            return found.st_uid in (0, file.owner) and not same

        for debug, path in _paths(program.build_id, link, program.path):
            yield open_regular((self._debug if debug else b"") + path, accept)
            yield open_inside(root, (DEBUG if debug else b"") + path, accept)


def has_dwarf(elf: Elf) -> bool:
    return any(map(elf.section, DWARF))


@dataclass(frozen=True, slots=True)
class _Link:
    """The name of the debug file, and the checksum of its contents."""

    name: bytes
    checksum: int


def _link(elf: Elf) -> _Link | None:
    section = elf.section(LINK)
    if section is None or section.size > MAX_LINK_BYTES:
        return None
    try:
        data = elf.load(section)
        name = data.partition(b"\0")[0]
        (checksum,) = struct.unpack_from(elf.order + "I", data, (len(name) + 4) & ~3)
    except (FormatError, struct.error):
        return None
    return None if b"/" in name or name in (b"", b".", b"..") else _Link(name, checksum)


def _paths(identifier: str, link: _Link | None, program: bytes) -> Iterator[tuple[bool, bytes]]:
    """(whether below /usr/lib/debug, path), in the order of their preference."""
    if len(identifier) > 2:
        yield True, f"/.build-id/{identifier[:2]}/{identifier[2:]}.debug".encode()
    if link and program.startswith(b"/"):
        folder = program.rpartition(b"/")[0]
        yield False, folder + b"/" + link.name
        yield False, folder + b"/.debug/" + link.name
        yield True, folder + b"/" + link.name


def _belongs(fd: int, identifier: str, link: _Link | None) -> bool:
    """By its build-id, or by the checksum where one of the two has no build-id."""
    try:
        size = identity(fd).size
        source = of_descriptor(fd)
        found = build_id(read_elf(source))
        if found and identifier:
            return found == identifier
        return link is not None and size <= MAX_CHECKED_BYTES and _checksum(source) == link.checksum
    except (FormatError, Unreadable):
        return False


def _checksum(source: Source) -> int:
    checksum = 0
    for offset in range(0, MAX_CHECKED_BYTES, _PIECE):
        piece = source(offset, _PIECE)
        checksum = zlib.crc32(piece, checksum)
        if len(piece) < _PIECE:
            break
    return checksum
