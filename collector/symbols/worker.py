"""The child process that reads symbol tables and DWARF (see `collector.confined`).

`symbolic` reads what it is given in one piece. A file of 1 KB that claims a compressed section
of 2^40 bytes aborts the process that reads it, one that is cut short while it is mapped kills it
with SIGBUS, and others take minutes. So it runs here, without privileges.

The message is `all`, or `names` to leave DWARF out; what comes of a file is its SymCache. The
answer is `ok` or the name of the counter for what went wrong. Little is imported, so that it starts
in 40 ms.
"""

import mmap
import os
import resource
import struct
from contextlib import suppress

from symbolic._lowlevel import ffi
from symbolic.debuginfo import Archive
from symbolic.exceptions import SymbolicError

from collector.confined.worker import Limits, become_nobody, limit, serve
from collector.elf.file import Section, read_elf
from profiler.errors import FormatError

LIMITS = Limits(heap_bytes=1 << 30, cpu_seconds=10)
"""Reading the 78 MB Rust library with DWARF takes 150 MB and 1.2 s."""
MAX_SYMCACHE_BYTES = 256 << 20

_SYMBOL = struct.Struct("<IBBHQQ")  # Elf64_Sym of elf.h
_SYMBOL_TABLES = (2, 11)
_FUNCTION = 2
_BINDINGS = {1: 0, 2: 1, 0: 2}
"""Global names before weak ones before local ones."""


def main() -> None:
    limit(resource.RLIMIT_FSIZE, MAX_SYMCACHE_BYTES)
    become_nobody()
    serve(_build, LIMITS)


def _build(message: bytes, source: int, target: int) -> str:
    copied = os.fstat(source).st_size  # at most, and only what is changed
    limit(resource.RLIMIT_DATA, LIMITS.heap_bytes + copied)
    try:
        with mmap.mmap(source, 0, access=mmap.ACCESS_COPY) as contents:
            if message == b"names":
                _hide_dwarf(contents)
            with suppress(FormatError, struct.error, ValueError):
                _keep_best_names(contents)
            view = ffi.from_buffer("uint8_t[]", contents)
            try:
                return _convert(view, target)
            finally:
                ffi.release(view)
    except (SymbolicError, LookupError, ValueError):
        return "bad_elf"
    except (OSError, MemoryError):
        return "no_room"


def _hide_dwarf(contents: mmap.mmap) -> None:
    """Gives the sections of DWARF, in our copy, a name under which nobody looks for them."""
    for name in (b"\0.debug_info\0", b"\0.zdebug_info\0"):
        at = contents.find(name)
        while at >= 0:
            contents[at + 1 : at + 3] = b".-"
            at = contents.find(name, at + 1)


def _keep_best_names(contents: mmap.mmap) -> None:
    """Leaves each address one function symbol in our copy: `symbolic` takes the first it finds,
    which may be the empty rest of another function that the compiler moved elsewhere."""
    elf = read_elf(lambda offset, size: contents[offset : offset + size])
    if elf.wide and elf.order == "<":
        for section in elf.sections:
            if section.kind in _SYMBOL_TABLES and section.link < len(elf.sections):
                _keep_best_of(contents, section, elf.sections[section.link].offset)


def _keep_best_of(contents: mmap.mmap, section: Section, names_at: int) -> None:
    best: dict[int, tuple[tuple[bool, int, int, int, bytes], int]] = {}
    at = section.offset
    length = min(section.size, len(contents) - at)
    table = contents[at : at + length // _SYMBOL.size * _SYMBOL.size]
    for number, (name, info, _, section, value, size) in enumerate(_SYMBOL.iter_unpack(table)):
        if info & 15 != _FUNCTION or not section:
            continue
        rank = (size == 0, _BINDINGS.get(info >> 4, 3), *_familiarity(contents, names_at + name))
        other = best.get(value)
        if other is None or rank < other[0]:
            best[value] = (rank, number)
            number = -1 if other is None else other[1]
        if number >= 0:
            contents[at + number * _SYMBOL.size + 4] = info & 0xF0  # of no type


def _familiarity(contents: mmap.mmap, at: int) -> tuple[int, int, bytes]:
    """`malloc` comes before `__libc_malloc`, and `memcpy` before `memcpy_alias_2`."""
    name = contents[at : at + 256].partition(b"\0")[0]
    return len(name) - len(name.lstrip(b"_")), len(name), name


def _convert(view: "ffi.CData", target: int) -> str:
    """Writes the SymCache of the one object in an ELF file."""
    elf = next(Archive.from_bytes(view).iter_objects(), None)
    if elf is None:
        return "bad_elf"
    if not elf.features & {"symtab", "debug"}:
        return "no_symbols"
    with os.fdopen(os.dup(target), "wb") as file:
        elf.make_symcache().dump_into(file)  # type: ignore[no-untyped-call]
    return "ok"


if __name__ == "__main__":
    main()
