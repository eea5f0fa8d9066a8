"""The child process that reads symbol tables and DWARF, so that no file can hurt the collector.

`symbolic` reads what it is given in one piece. A file of 1 KB that claims a compressed section
of 2^40 bytes aborts the process that reads it, one that is cut short while it is mapped kills it
with SIGBUS, and others take minutes. So it runs here: with limits on memory and time, without
privileges, and one death is one unnamed file.

The parent sends one message a file over the socket that is descriptor 0: `all`, or `names` to
leave DWARF out, with two descriptors, the ELF file and an empty file for the resulting SymCache.
The answer is `ok` or the name of the counter for what went wrong. The script imports nothing of
ours, so that it starts in 40 ms.
"""

import mmap
import os
import resource
import socket
import struct
from contextlib import suppress
from pathlib import Path

from symbolic._lowlevel import ffi
from symbolic.debuginfo import Archive
from symbolic.exceptions import SymbolicError

MAX_HEAP_BYTES = 1 << 30
"""Reading the 78 MB Rust library with DWARF takes 150 MB."""
MAX_SYMCACHE_BYTES = 256 << 20
MAX_CPU_SECONDS = 10
_NOBODY = 65534

# elf.h, of 64-bit little-endian files: e_shoff, e_shentsize, e_shnum; sh_type, sh_offset, sh_size,
# sh_link; Elf64_Sym.
_SECTIONS = struct.Struct("<Q10xHH")
_SECTION = struct.Struct("<4xI16xQQI")
_SYMBOL = struct.Struct("<IBBHQQ")
_SYMBOL_TABLES = (2, 11)
_FUNCTION = 2
_BINDINGS = {1: 0, 2: 1, 0: 2}
"""Global names before weak ones before local ones."""


def main() -> None:
    _confine()
    parent = socket.socket(fileno=0)
    while True:
        message, descriptors, _, _ = socket.recv_fds(parent, 16, 2)
        if not message or len(descriptors) != 2:
            return
        _allow_cpu(MAX_CPU_SECONDS)
        answer = _build(descriptors[0], descriptors[1], names_only=message == b"names")
        for descriptor in descriptors:
            os.close(descriptor)
        parent.send(answer.encode())


def _confine() -> None:
    """Gives up what reading a file does not need. As another user than root, it has little."""
    _limit(resource.RLIMIT_FSIZE, MAX_SYMCACHE_BYTES)
    _limit(resource.RLIMIT_CORE, 0)
    with suppress(OSError):  # where memory is short, this dies before the collector
        Path("/proc/self/oom_score_adj").write_text("1000")
    with suppress(OSError):
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)


def _limit(kind: int, amount: int) -> None:
    """Sets a soft limit, below the hard one that we may have been started with."""
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (amount if hard < 0 else min(amount, hard), hard))


def _allow_cpu(seconds: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + seconds)


def _build(source: int, target: int, names_only: bool) -> str:
    copied = os.fstat(source).st_size  # at most, and only what is changed
    _limit(resource.RLIMIT_DATA, MAX_HEAP_BYTES + copied)
    try:
        with mmap.mmap(source, 0, access=mmap.ACCESS_COPY) as contents:
            if names_only:
                _hide_dwarf(contents)
            with suppress(struct.error, ValueError):
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
    if contents[:6] != b"\x7fELF\x02\x01":
        return
    start, size, count = _SECTIONS.unpack_from(contents, 0x28)
    headers = [_SECTION.unpack_from(contents, start + size * n) for n in range(count)]
    for kind, at, length, link in headers:
        if kind in _SYMBOL_TABLES and link < count:
            _keep_best_of(contents, at, min(length, len(contents) - at), headers[link][1])


def _keep_best_of(contents: mmap.mmap, at: int, length: int, names_at: int) -> None:
    best: dict[int, tuple[tuple[bool, int, int, int, bytes], int]] = {}
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
