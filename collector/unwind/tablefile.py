"""Tables as files: what the builder hands over, and what the cache keeps.

    "PUNW" version 1 · CRC-32 of the rest · 3 windows: number, rows · the rows, 8 bytes each

Little-endian. The version counts up whenever the same file would give other rows.
"""

import struct
import zlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from collector.elf.source import Source, of_bytes
from collector.unwind.table import Table
from profiler.errors import FormatError

VERSION = 2
MAGIC = b"PUNW"
MAX_WINDOWS = 256

_HEAD = struct.Struct("<4sIII")
_CHECKED = 12
"""Where the bytes begin that the checksum covers: the number of windows and all behind it."""
_WINDOW = struct.Struct("<II")


def dumps(table: Table) -> bytes:
    directory = b"".join(_WINDOW.pack(w, len(rows)) for w, rows in table.windows.items())
    rows = b"".join(rows.tobytes() for rows in table.windows.values())
    checked = len(table.windows).to_bytes(4, "little") + directory + rows
    return struct.pack("<4sII", MAGIC, VERSION, zlib.crc32(checked)) + checked


def loads(data: bytes) -> Table:
    """The table, checked; FormatError where the file is damaged or of another version."""
    source = of_bytes(data)
    windows = _directory(source)
    if zlib.crc32(data[_CHECKED:]) != _HEAD.unpack_from(data)[2]:
        raise FormatError("the rows are damaged: the checksum differs")
    return Table(dict(read_windows(source, windows)))


def read_windows(source: Source, wanted: Iterable[int]) -> Iterable[tuple[int, NDArray[np.uint64]]]:
    """(window, rows) of those windows that the file has, unchecked."""
    windows = _directory(source)
    start = _HEAD.size + len(windows) * _WINDOW.size
    wanted = set(wanted)
    for window, count in windows.items():
        if window in wanted:
            yield window, np.frombuffer(_exactly(source, start, count * 8), np.uint64)
        start += count * 8


def _directory(source: Source) -> dict[int, int]:
    """Window → number of rows, in the order of the file."""
    magic, version, _, count = _HEAD.unpack(_exactly(source, 0, _HEAD.size))
    if (magic, version) != (MAGIC, VERSION):
        raise FormatError(f"expected a table of version {VERSION}, got {magic!r} {version}")
    if count > MAX_WINDOWS:
        raise FormatError(f"{count} windows are more than {MAX_WINDOWS}")
    return dict(_WINDOW.iter_unpack(_exactly(source, _HEAD.size, count * _WINDOW.size)))


def _exactly(source: Source, offset: int, size: int) -> bytes:
    data = source(offset, size)
    if len(data) != size:
        raise FormatError(f"the table ends after {len(data)} of {size} bytes at {offset}")
    return data
