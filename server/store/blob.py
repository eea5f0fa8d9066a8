"""Columns of numbers in a blob: versioned, compressed, checked.

    01 | zstd( columns, one after the other )

The first byte is the version. Numbers that are small most of the time are written as byte planes:
all low bytes, then all second bytes, …; the planes that hold nothing but zeros cost nothing once
compressed. Everything is little-endian. A blob that is not what it says is a DamagedError.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from profiler.errors import UnavailableError

_VERSION = b"\x01"

_LEVEL = 3
"""zstd's default. Level 9 saves 3 % of the bytes for five times the time."""

_QUICK_LEVEL = -1
"""For what is soon written anew: 10 % more bytes than the default in 5 of 18 us for 2 KB."""

_PLAIN_BYTES = 256 << 20
"""The most that a blob may unpack to: four million samples or nodes need less."""


class DamagedError(UnavailableError):
    """The database holds what no server wrote."""


class _Zstd(threading.local):
    """zstd contexts, one pair a thread: two threads in one context crash the process."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        self.quick = zstandard.ZstdCompressor(level=_QUICK_LEVEL, write_checksum=True)
        self.decompressor = zstandard.ZstdDecompressor()


_zstd = _Zstd()


def pack(*columns: NDArray[np.generic]) -> bytes:
    plain = b"".join(column.tobytes() for column in columns)
    return _VERSION + _zstd.compressor.compress(plain)


def pack_quickly(columns: Iterable[bytes]) -> bytes:
    """The same of columns that are bytes already, for a blob that is read a few times."""
    return _VERSION + _zstd.quick.compress(b"".join(columns))


def planes(column: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Numbers from 0 on as rows of bytes, lowest first: as many as the largest needs."""
    width = -(-int(column.max(initial=0)).bit_length() // 8)
    return column.astype("<i8").view("u1").reshape(-1, 8)[:, :width].T


@contextmanager
def unpacked(blob: bytes) -> Iterator["Columns"]:
    """The columns of `blob`, all of which are to be read."""
    if blob[:1] != _VERSION:
        raise DamagedError(f"blob: version {blob[:1].hex()!r}, this server knows '01'")
    try:
        columns = Columns(_plain(blob[1:]))
        yield columns
    except (IndexError, ValueError, zstandard.ZstdError) as error:
        raise DamagedError(f"blob: {error}") from error
    if columns.left:
        raise DamagedError(f"blob: {columns.left} bytes more than its columns")


def _plain(data: bytes) -> bytes:
    size = zstandard.frame_content_size(data)
    if not 0 <= size <= _PLAIN_BYTES:
        raise DamagedError(f"blob: {size} bytes unpacked, at most {_PLAIN_BYTES}")
    return _zstd.decompressor.decompress(data)


class Columns:
    """Reads columns one after the other."""

    def __init__(self, plain: bytes) -> None:
        self._plain = plain
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._plain) - self._at

    def take(self, n: int, dtype: str) -> NDArray[np.generic]:
        """The next column of `n` entries."""
        size = n * np.dtype(dtype).itemsize
        if size > self.left:
            raise DamagedError(f"blob: a column of {size} bytes, {self.left} are left")
        column = np.frombuffer(self._plain, dtype, n, self._at)
        self._at += size
        return column

    def planes(self, n: int, width: int) -> NDArray[np.int64]:
        """The next column of `n` numbers, written as `width` byte planes."""
        return self._planes(n, width, np.dtype(np.int64))

    def wrapped(self, n: int, dtype: np.dtype[np.unsignedinteger]) -> NDArray[np.int64]:
        """The next column of `n` numbers, written as byte planes of distances that wrap around
        at the width of `dtype`."""
        distances = self._planes(n, dtype.itemsize, dtype)
        return np.cumsum(distances, dtype=dtype).astype(np.int64)

    def _planes(self, n: int, width: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        if width > dtype.itemsize or n > _PLAIN_BYTES:
            raise DamagedError(f"blob: {n} numbers of {width} bytes in a column of {dtype}")
        column = self.take(n, "u1").astype(dtype) if width else np.zeros(n, dtype)
        for place in range(1, width):
            column |= self.take(n, "u1").astype(dtype) << dtype.type(8 * place)
        return column
