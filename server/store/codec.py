"""The blobs of samples, nodes and frames.

Sorted node numbers are written as distances, counts as one byte with the exceptions beside; the
sums of many profiles, which are larger, as byte planes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from struct import Struct
from typing import Self

import numpy as np
from numpy.typing import NDArray

from server.store.blob import pack, pack_quickly, planes, unpacked

FrameRow = tuple[str, str, int, str, str, int, int, int]
"""The fields of a `Frame` in their order, the last two as numbers: what a dictionary of hundreds
of thousands compares five times faster."""


_HEADER = Struct("<4I")


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """The samples of one profile: node numbers, ascending, each once; counts; values.

    `values` is empty where each is its count times the period of the row.
    """

    nodes: NDArray[np.int64]
    samples: NDArray[np.int64]
    values: NDArray[np.int64]


def encode_entries(parts: Sequence[Entries]) -> list[bytes]:
    """A blob each. They are computed together: numpy takes a microsecond for each column of a
    profile, and little more for the column of a hundred."""
    ends = list(accumulate((len(part.nodes) for part in parts), initial=0))
    nodes = np.concatenate([part.nodes for part in parts])
    samples = np.concatenate([part.samples for part in parts])
    distances = np.diff(nodes, prepend=0)
    starts = np.array([start for start, end in pairwise(ends) if start < end], np.intp)
    distances[starts] = nodes[starts]
    low, high = (distances.astype("<u4").view("u1").reshape(-1, 4)[:, i].tobytes() for i in (0, 1))
    counts = np.minimum(samples, 255).astype("u1").tobytes()
    far = _Exceptions.of(distances >> 16, 0, "<u2", ends)
    many = _Exceptions.of(samples, 255, "<u8", ends)
    blobs = []
    for number, (part, (start, end)) in enumerate(zip(parts, pairwise(ends), strict=True)):
        n_far, far_columns = far.columns(number, start)
        n_many, many_columns = many.columns(number, start)
        header = _HEADER.pack(end - start, n_far, n_many, len(part.values))
        columns = (header, low[start:end], high[start:end], counts[start:end])
        values = part.values.astype("<i8").tobytes() if len(part.values) else b""
        blobs.append(pack_quickly((*columns, *far_columns, *many_columns, values)))
    return blobs


@dataclass(frozen=True, slots=True, eq=False)
class _Exceptions:
    """The numbers of some parts that are too large for their place."""

    at: NDArray[np.intp]
    numbers: NDArray[np.int64]
    dtype: str
    cuts: list[int]

    @classmethod
    def of(cls, column: NDArray[np.int64], most: int, dtype: str, ends: Sequence[int]) -> Self:
        at = np.flatnonzero(column > most)
        return cls(at, column[at], dtype, np.searchsorted(at, ends).tolist())

    def columns(self, part: int, start: int) -> tuple[int, tuple[bytes, ...]]:
        """How many a part has that begins at `start`; where in it, and what."""
        first, end = self.cuts[part], self.cuts[part + 1]
        if first == end:
            return 0, ()
        at = (self.at[first:end] - start).astype("<u4")
        return end - first, (at.tobytes(), self.numbers[first:end].astype(self.dtype).tobytes())


def decode_entries(blob: bytes) -> Entries:
    with unpacked(blob) as columns:
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


def encode_sums(entries: Entries) -> bytes:
    columns = [
        planes(column)
        for column in (np.diff(entries.nodes, prepend=0), entries.samples, entries.values)
    ]
    widths = np.array([len(column) for column in columns], "u1")
    return pack(np.array([len(entries.nodes), len(entries.values)], "<u4"), widths, *columns)


def decode_sums(blob: bytes) -> Entries:
    with unpacked(blob) as columns:
        n, n_values = columns.take(2, "<u4").tolist()
        widths = columns.take(3, "u1").tolist()
        distances, samples, values = (
            columns.planes(length, width)
            for length, width in zip((n, n, n_values), widths, strict=True)
        )
    return Entries(np.cumsum(distances), samples, values)


def encode_nodes(parents: NDArray[np.int64], frames: NDArray[np.int64], first: int) -> bytes:
    """Nodes numbered from `first`; a parent is written as its distance from the node."""
    distances = np.arange(first, first + len(parents)) - parents
    columns = [column.astype("<u4").view("u1").reshape(-1, 4).T for column in (distances, frames)]
    return pack(np.array([len(parents)], "<u4"), *columns)


def decode_nodes(blob: bytes, first: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(parents, frames)"""
    with unpacked(blob) as columns:
        (n,) = columns.take(1, "<u4").tolist()
        distances, frames = (columns.planes(n, 4) for _ in range(2))
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
    return pack(np.array([len(frames), len(text)], "<u4"), text, *columns)


def decode_frames(blob: bytes) -> list[FrameRow]:
    with unpacked(blob) as columns:
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
