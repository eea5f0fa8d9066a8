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
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from symbolic._lowlevel import ffi
from symbolic.debuginfo import Archive
from symbolic.exceptions import SymbolicError

from collector.confined.worker import Limits, become_nobody, die_first, limit, serve
from collector.elf.file import Elf, Section, read_elf
from collector.symbols.functions import (
    FUNCTION,
    SYMBOL,
    Function,
    Rank,
    decompressed,
    functions,
    is_table,
    labels,
    name_at,
    rank,
)
from profiler.errors import FormatError

LIMITS = Limits(heap_bytes=1 << 30, cpu_seconds=10)
"""Reading the 78 MB Rust library with DWARF takes 115 MB and 1.2 s."""
MAX_SYMCACHE_BYTES = 256 << 20
GIVE_BACK_SECONDS = 0.02


def main() -> None:
    limit(resource.RLIMIT_FSIZE, MAX_SYMCACHE_BYTES)
    die_first()
    become_nobody()
    serve(_build, LIMITS)


def _build(message: bytes, source: int, target: int) -> str:
    copied = os.fstat(source).st_size  # at most, and only what is changed
    limit(resource.RLIMIT_DATA, LIMITS.heap_bytes + copied)
    try:
        with mmap.mmap(source, 0, access=mmap.ACCESS_COPY) as contents:
            elf = read_elf(lambda offset, size: contents[offset : offset + size])
            if text := _decompressed(elf):
                return _convert(text, target)
            if message == b"names":
                _hide_dwarf(contents)
            _keep_best_names(elf, contents)
            with _read_once(elf, contents):
                return _convert(contents, target)
    except (FormatError, SymbolicError, LookupError, ValueError):
        return "bad_elf"
    except (OSError, MemoryError):
        return "no_room"


@contextmanager
def _read_once(elf: Elf, contents: mmap.mmap) -> Iterator[None]:
    """Gives back the pages of DWARF while it is read, nearly all from its beginning to its end, 50
    MB of those 78; what is needed again comes from the page cache. We have not changed any."""
    spans = [
        (-(-section.offset // mmap.PAGESIZE) * mmap.PAGESIZE, section.offset + section.size)
        for section in elf.sections
        if section.name.startswith(".debug_")
    ]
    ended = threading.Event()

    def give_back() -> None:
        while not ended.wait(GIVE_BACK_SECONDS):
            for start, end in spans:
                size = (min(end, len(contents)) - start) // mmap.PAGESIZE * mmap.PAGESIZE
                if size > 0:
                    contents.madvise(mmap.MADV_DONTNEED, start, size)

    thread = threading.Thread(target=give_back)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _decompressed(elf: Elf) -> bytes:
    """What a file exports has names also where the rest is damaged."""
    try:
        return decompressed(elf)
    except FormatError:
        return b""


def _hide_dwarf(contents: mmap.mmap) -> None:
    """Gives the sections of DWARF, in our copy, a name under which nobody looks for them."""
    for name in (b"\0.debug_info\0", b"\0.zdebug_info\0"):
        at = contents.find(name)
        while at >= 0:
            contents[at + 1 : at + 3] = b".-"
            at = contents.find(name, at + 1)


def _keep_best_names(elf: Elf, contents: mmap.mmap) -> None:
    """Leaves each address one function symbol in our copy: `symbolic` takes the first it finds,
    which may be the empty rest of another function that the compiler moved elsewhere. Code that
    has only a label becomes a function."""
    for section in elf.sections:
        if is_table(elf, section):
            _keep_best_of(contents, section, elf.sections[section.link].offset)
            for number in labels(elf, contents[section.offset : section.offset + section.size]):
                at = section.offset + number * SYMBOL.size + 4
                contents[at] = contents[at] & 0xF0 | FUNCTION


def _keep_best_of(contents: mmap.mmap, section: Section, names_at: int) -> None:
    def order(function: Function) -> Rank:
        return rank(function, name_at(contents, names_at + function.name))

    best: dict[int, Function] = {}
    for function in functions(contents[section.offset : section.offset + section.size]):
        other = best.setdefault(function.address, function)
        if other is function:
            continue
        better, worse = sorted((other, function), key=order)
        best[function.address] = better
        contents[section.offset + worse.number * SYMBOL.size + 4] = worse.info & 0xF0  # of no type


def _convert(file: "mmap.mmap | bytes", target: int) -> str:
    """Writes the SymCache of the one object in a file."""
    view = ffi.from_buffer("uint8_t[]", file)
    try:
        found = next(Archive.from_bytes(view).iter_objects(), None)
        if found is None:
            return "bad_elf"
        if not found.features & {"symtab", "debug"}:
            return "no_symbols"
        with os.fdopen(os.dup(target), "wb") as out:
            found.make_symcache().dump_into(out)
        return "ok"
    finally:
        ffi.release(view)


if __name__ == "__main__":
    main()
