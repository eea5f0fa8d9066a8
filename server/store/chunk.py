"""A chunk: the profiles of one series and hour, merged into columns that can still be cut in time.

It takes two rows. One is the *rollup* of the hour: each node once, with its sums. The other holds
the profiles: their times and sums in one blob, their entries in another, where a node is written
as its place in the rollup. Places are small and dense, so the distance from one to the next takes
one byte most of the time, and from the last entry of a profile to the first of the next it wraps
around. A query of the whole hour reads the rollup alone; one that cuts the hour adds the entries
of its profiles up by place.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from server.store.blob import DamagedError, pack, planes, unpacked
from server.store.codec import Entries
from server.store.totals import Totals

Column = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """One entry a profile, in the order of their start: its window, its sums, its entries."""

    t0_ns: Column
    duration_ns: Column
    samples: Column
    values: Column
    """Empty where each is its samples times the period of the row."""
    lengths: Column

    def __getitem__(self, part: slice) -> "Times":
        return Times(*(getattr(self, name)[part] for name in self.__slots__))

    def totals(self, period: int) -> Totals:
        samples = int(self.samples.sum())
        value = int(self.values.sum()) if len(self.values) else samples * period
        return Totals(len(self.t0_ns), samples, value)

    def between(self, from_ns: int, to_ns: int) -> slice:
        """Those that begin in [from_ns, to_ns)."""
        first, end = np.searchsorted(self.t0_ns, [from_ns, to_ns])
        return slice(int(first), int(end))


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Profiles and their entries, one behind the other; `entries.nodes` ascend in each profile."""

    times: Times
    entries: Entries

    @classmethod
    def of(cls, t0_ns: int, duration_ns: int, entries: Entries) -> Self:
        """One profile, which has entries."""
        numbers = (t0_ns, duration_ns, int(entries.samples.sum()), len(entries.nodes))
        start, duration, samples, length = (np.array([number], np.int64) for number in numbers)
        values = entries.values.sum(keepdims=True) if len(entries.values) else entries.values
        return cls(Times(start, duration, samples, values, length), entries)

    def sums(self) -> Entries:
        """Each node once."""
        return sums([self.entries])


def merge(chunks: Sequence[Chunk]) -> Chunk:
    """All their profiles, in the order of time."""
    times = Times(
        *(
            np.concatenate([getattr(chunk.times, name) for chunk in chunks])
            for name in Times.__slots__
        )
    )
    entries = _concatenated([chunk.entries for chunk in chunks])
    order = np.argsort(times.t0_ns, kind="stable")
    if (order[1:] > order[:-1]).all():
        return Chunk(times, entries)
    starts = np.cumsum(times.lengths) - times.lengths
    lengths = times.lengths[order]
    moved = np.repeat(starts[order] - (np.cumsum(lengths) - lengths), lengths)
    place = moved + np.arange(len(entries.nodes))
    ordered = Entries(*(_at(getattr(entries, name), place) for name in Entries.__slots__))
    return Chunk(Times(*(_at(getattr(times, name), order) for name in Times.__slots__)), ordered)


def thinned(chunk: Chunk, unit_ns: int) -> Chunk:
    """The profiles that begin in the same unit of time as one, from the first start to the last
    end. The same chunk where each has a unit of its own."""
    times, entries = chunk.times, chunk.entries
    starts = np.flatnonzero(np.diff(times.t0_ns // unit_ns, prepend=-1))
    if len(starts) == len(times.t0_ns):
        return chunk
    group = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(times.t0_ns))))
    width = int(entries.nodes.max()) + 1
    keys, index = np.unique(
        np.repeat(group, times.lengths) * width + entries.nodes, return_inverse=True
    )

    def added(column: Column) -> Column:
        total = np.zeros(len(keys), np.int64)
        np.add.at(total, index, column)
        return total

    ends_ns = np.maximum.reduceat(times.t0_ns + times.duration_ns, starts)
    merged_times = Times(
        t0_ns=times.t0_ns[starts],
        duration_ns=ends_ns - times.t0_ns[starts],
        samples=np.add.reduceat(times.samples, starts),
        values=np.add.reduceat(times.values, starts) if len(times.values) else times.values,
        lengths=np.bincount(keys // width, minlength=len(starts)),
    )
    columns = [
        added(column) if len(column) else column for column in (entries.samples, entries.values)
    ]
    return Chunk(merged_times, Entries(keys % width, *columns))


def sums(parts: Iterable[Entries]) -> Entries:
    """Each node of the parts once, with the sums of all."""
    entries = _concatenated(list(parts))
    length = int(entries.nodes.max(initial=-1)) + 1
    samples, values = np.zeros(length, np.int64), np.zeros(length, np.int64)
    held = np.zeros(length, bool)
    held[entries.nodes] = True
    nodes = np.flatnonzero(held)
    np.add.at(samples, entries.nodes, entries.samples)
    if len(entries.values):
        np.add.at(values, entries.nodes, entries.values)
    return Entries(nodes, samples[nodes], values[nodes] if len(entries.values) else values[:0])


def encode_times(times: Times, hour_ns: int) -> bytes:
    columns = [
        planes(column)
        for column in (
            np.diff(times.t0_ns, prepend=hour_ns),
            times.duration_ns,
            times.samples,
            times.values,
            times.lengths,
        )
    ]
    widths = np.array([len(column) for column in columns], "u1")
    return pack(np.array([len(times.t0_ns), len(times.values)], "<u4"), widths, *columns)


def decode_times(blob: bytes, hour_ns: int) -> Times:
    with unpacked(blob) as columns:
        n, n_values = columns.take(2, "<u4").tolist()
        widths = columns.take(5, "u1").tolist()
        distances, durations, samples, values, lengths = (
            columns.planes(length, width)
            for length, width in zip((n, n, n, n_values, n), widths, strict=True)
        )
    return Times(hour_ns + np.cumsum(distances), durations, samples, values, lengths)


def encode_profiles(entries: Entries, nodes: Column) -> bytes:
    """The entries of a chunk, as places in `nodes`, the nodes of its rollup."""
    place_of = np.zeros(int(nodes.max(initial=-1)) + 1, np.int64)
    place_of[nodes] = np.arange(len(nodes))
    dtype = _place_type(len(nodes))
    distances = np.diff(place_of[entries.nodes].astype(dtype), prepend=dtype.type(0))
    columns = [planes(column) for column in (entries.samples, entries.values)]
    widths = np.array([len(column) for column in columns], "u1")
    return pack(
        np.array([len(entries.nodes), len(entries.values)], "<u4"),
        widths,
        distances.view("u1").reshape(-1, dtype.itemsize).T,
        *columns,
    )


def decode_profiles(blob: bytes, nodes: Column) -> Entries:
    """What `encode_profiles` wrote, but with places as they are: indexes into `nodes`."""
    dtype = _place_type(len(nodes))
    with unpacked(blob) as columns:
        n, n_values = columns.take(2, "<u4").tolist()
        samples_width, values_width = columns.take(2, "u1").tolist()
        places = columns.wrapped(n, dtype)
        samples = columns.planes(n, samples_width)
        values = columns.planes(n_values, values_width)
    if places.max(initial=-1) >= len(nodes):
        raise DamagedError(f"chunk: an entry at place {places.max()} of {len(nodes)}")
    return Entries(places, samples, values)


def cut(times: Times, profiles: Entries, nodes: Column, part: slice) -> Entries:
    """Each node once, with the sums over the profiles of `part`."""
    ends = np.cumsum(times.lengths)
    first = int(ends[part.start - 1]) if part.start else 0
    end = int(ends[part.stop - 1]) if part.stop else 0
    chosen = Entries(*(getattr(profiles, name)[first:end] for name in Entries.__slots__))
    found = sums([chosen])
    return Entries(nodes[found.nodes], found.samples, found.values)


def _place_type(n: int) -> np.dtype[np.unsignedinteger]:
    """Distances between places wrap around at its width."""
    return np.dtype("<u1" if n <= 1 << 8 else "<u2" if n <= 1 << 16 else "<u4")


def _concatenated(parts: Sequence[Entries]) -> Entries:
    if len(parts) == 1:
        return parts[0]
    return Entries(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in Entries.__slots__)
    )


def _at(column: Column, places: NDArray[np.intp]) -> Column:
    return column[places] if len(column) else column
