"""What the collector gives back to the kernel after a drain, so that it weighs what it uses.

The C library keeps what was freed, by default in a pool for each thread; and looking up an address
in a file of symbols maps the 16 pages around it, most of which nobody asks for again.
"""

import ctypes
import gc
import re
import tempfile
from pathlib import Path

_M_ARENA_MAX = -8  # malloc.h of glibc
_MADV_DONTNEED = 4  # linux/mman.h: the pages stay in the page cache, and are mapped again

_library = ctypes.CDLL(None)


def use_one_pool() -> None:
    """To be called before threads are started. C libraries other than glibc have one anyway."""
    if hasattr(_library, "mallopt"):
        _library.mallopt(_M_ARENA_MAX, 1)


def settle() -> None:
    """To be called once what lasts is there, such as the modules: Python's search for cycles leaves
    it out from now on. It begins after more than a drain's objects, nearly all of which are gone
    again by then; with Python's own numbers it took a seventh of a drain's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)


def give_back() -> None:
    """Costs some 3 ms, and a tenth of that again in the next drain."""
    give_back_freed()
    for start, end in symbol_files(Path("/proc/self/maps").read_bytes()):
        _library.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_DONTNEED)


def give_back_freed() -> None:
    """What the C library keeps of it."""
    if hasattr(_library, "malloc_trim"):
        _library.malloc_trim(0)


def symbol_files(maps: bytes) -> list[tuple[int, int]]:
    """Where temporary files without a name are mapped, shared and to be read alone: files of
    symbols, and nothing that would be lost."""
    folder = re.escape(tempfile.gettempdir().encode())
    mapped = rb"^([0-9a-f]+)-([0-9a-f]+) r--s .* " + folder + rb"/#?[^/\n]* \(deleted\)$"
    found = re.finditer(mapped, maps, re.MULTILINE)
    return [(int(start, 16), int(end, 16)) for start, end in (one.groups() for one in found)]
