"""The blobs: samples, nodes and frames as columns, compressed.

    01 | zstd( counts of what follows | columns )

The first byte is the version. Numbers that are small most of the time are written as byte planes:
all low bytes, then all second bytes, …; the planes that hold nothing but zeros cost nothing once
compressed. Sorted node numbers are written as distances, counts as one byte with the exceptions
beside. Everything is little-endian. A blob that is not what it says is a
DamagedError.
"""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import zstandard
from numpy.typing import NDArray

from profiler.errors import UnavailableError

_VERSION = b"\x01"

_LEVEL = 3
"""zstd's default. Level 9 saves 3 % of the bytes for five times the time."""

_PLAIN_BYTES = 256 << 20
"""The most that a blob may unpack to: four million samples or nodes need less."""


FrameRow = tuple[str, str, int, str, str, int, int, int]
"""The fields of a `Frame` in their order, the last two as numbers: what a dictionary of hundreds
of thousands compares five times faster."""


class DamagedError(UnavailableError):
    """The database holds what no server wrote."""


class _Zstd(threading.local):
    """zstd contexts, one pair a thread: two threads in one context crash the process."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        self.decompressor = zstandard.ZstdDecompressor()


_zstd = _Zstd()


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """The samples of one profile: node numbers, ascending, each once; counts; values.

    `values` is empty where each is its count times the period of the row.
    """

    nodes: NDArray[np.int64]
    samples: NDArray[np.int64]
    values: NDArray[np.int64]


def encode_entries(entries: Entries) -> bytes:
    distances = np.diff(entries.nodes, prepend=0).astype("<u4")
    far = np.flatnonzero(distances >> 16).astype("<u4")
    many = np.flatnonzero(entries.samples > 255).astype("<u4")
    return _pack(
        np.array([len(distances), len(far), len(many), len(entries.values)], "<u4"),
        distances.view("u1").reshape(-1, 4)[:, :2].T,
        np.minimum(entries.samples, 255).astype("u1"),
        far,
        (distances[far] >> 16).astype("<u2"),
        many,
        entries.samples[many].astype("<u8"),
        entries.values.astype("<i8"),
    )


def decode_entries(blob: bytes) -> Entries:
    with _columns(blob) as columns:
        n, n_far, n_many, n_values = columns.take(4, "<u4").tolist()
        distances = columns.take(n, "u1").astype(np.int64)
        distances += columns.take(n, "u1").astype(np.int64) << 8
        samples = columns.take(n, "u1").astype(np.int64)
        far = columns.take(n_far, "<u4")
        distances[far] += columns.take(n_far, "<u2").astype(np.int64) << 16
        many = columns.take(n_many, "<u4")
        samples[many] = columns.take(n_many, "<u8").astype(np.int64)
        values = columns.take(n_values, "<i8").astype(np.int64)
    return Entries(np.cumsum(distances), samples, values)


def encode_nodes(parents: NDArray[np.int64], frames: NDArray[np.int64], first: int) -> bytes:
    """Nodes numbered from `first`; a parent is written as its distance from the node."""
    distances = np.arange(first, first + len(parents)) - parents
    planes = [column.astype("<u4").view("u1").reshape(-1, 4).T for column in (distances, frames)]
    return _pack(np.array([len(parents)], "<u4"), *planes)


def decode_nodes(blob: bytes, first: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(parents, frames)"""
    with _columns(blob) as columns:
        (n,) = columns.take(1, "<u4").tolist()
        distances, frames = (columns.planes(n) for _ in range(2))
    return np.arange(first, first + n) - distances, frames


def encode_frames(frames: Sequence[FrameRow]) -> bytes:
    strings: dict[str, int] = {}
    functions, files, lines, binaries, build_ids, addresses, kinds, inlined = zip(
        *frames, strict=True
    )
    columns = [
        np.array([strings.setdefault(text, len(strings)) for text in texts], "<u4")
        for texts in (functions, files, binaries, build_ids)
    ]
    columns += [
        np.array(numbers, dtype)
        for numbers, dtype in ((lines, "<u4"), (addresses, "<u8"), (kinds, "u1"), (inlined, "u1"))
    ]
    text = np.frombuffer(json.dumps(list(strings)).encode(), "u1")
    return _pack(np.array([len(frames), len(text)], "<u4"), text, *columns)


def decode_frames(blob: bytes) -> list[FrameRow]:
    with _columns(blob) as columns:
        n, n_text = columns.take(2, "<u4").tolist()
        strings: list[str] = json.loads(columns.take(n_text, "u1").tobytes())
        functions, files, binaries, build_ids = (
            [strings[number] for number in columns.take(n, "<u4").tolist()] for _ in range(4)
        )
        lines, addresses, kinds, inlined = (
            columns.take(n, dtype).tolist() for dtype in ("<u4", "<u8", "u1", "u1")
        )
    return list(
        zip(functions, files, lines, binaries, build_ids, addresses, kinds, inlined, strict=True)
    )


def _pack(*columns: NDArray[np.generic]) -> bytes:
    plain = b"".join(column.tobytes() for column in columns)
    return _VERSION + _zstd.compressor.compress(plain)


@contextmanager
def _columns(blob: bytes) -> Iterator["_Columns"]:
    """The columns of `blob`, all of which are to be read."""
    if blob[:1] != _VERSION:
        raise DamagedError(f"blob: version {blob[:1].hex()!r}, this server knows '01'")
    try:
        columns = _Columns(_unpack(blob[1:]))
        yield columns
    except (IndexError, ValueError, zstandard.ZstdError) as error:
        raise DamagedError(f"blob: {error}") from error
    if columns.left:
        raise DamagedError(f"blob: {columns.left} bytes more than its columns")


def _unpack(data: bytes) -> bytes:
    size = zstandard.frame_content_size(data)
    if not 0 <= size <= _PLAIN_BYTES:
        raise DamagedError(f"blob: {size} bytes unpacked, at most {_PLAIN_BYTES}")
    return _zstd.decompressor.decompress(data)


class _Columns:
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

    def planes(self, n: int) -> NDArray[np.int64]:
        """The next column of `n` u32, written as four byte planes."""
        planes = self.take(4 * n, "u1").reshape(4, n)
        return np.ascontiguousarray(planes.T).view("<u4").reshape(n).astype(np.int64)
