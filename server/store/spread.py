"""Profiles spread over buckets of time, in numbers that add up whatever the order.

A profile counts in each bucket by the part of its window that lies there, to a 256th; so sums are
kept in 256ths. They are exact: it makes no difference which profiles are added first, which were
added up before, and where they were stored meanwhile. Whole numbers are made of them at the end,
by what has been counted up to the end of each bucket, so that no sample is lost between two.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.int64]

_BITS = 8
_WHOLE = 1 << _BITS
_LONG_NS = 1 << 54
"""Of longer windows, 200 days, microseconds do not count, so that 256ths have 64 bits."""


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """One entry a profile, or some of one series and window that are added up already."""

    scope_id: int
    series_ids: Column
    t0_ns: Column
    duration_ns: Column
    samples: Column
    values: Column

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.series_ids, self.t0_ns, self.duration_ns, self.samples, self.values

    def only(self, chosen: NDArray[np.bool_]) -> "Windows":
        return Windows(self.scope_id, *(column[chosen] for column in self.columns))


def joined(parts: Sequence[Windows]) -> Windows:
    """Those of one scope."""
    columns = zip(*(part.columns for part in parts), strict=True)
    return Windows(parts[0].scope_id, *map(np.concatenate, columns))


class Spread:
    """Lines over buckets of equal length. `sums` are whole numbers and 256ths (the first index), of
    samples and values (the second), by line and bucket; 256ths may be more than 255."""

    def __init__(self, lines: int, buckets: range) -> None:
        self._buckets = buckets
        self.sums = np.zeros((2, 2, lines, len(buckets)), np.int64)

    def add(self, lines: NDArray[np.intp], windows: Windows) -> None:
        """The line of each window. What a window has beyond the last bucket counts there."""
        start, step = self._buckets.start, self._buckets.step
        latest = len(self._buckets) - 1
        ends_ns = windows.t0_ns + np.maximum(windows.duration_ns - 1, 0)
        first = np.minimum((windows.t0_ns - start) // step, latest)
        last = np.minimum((ends_ns - start) // step, latest)
        inside = first == last
        counts = np.stack([windows.samples, windows.values])
        self._add(0, lines[inside], first[inside], counts[:, inside])
        if not inside.all():
            self._across(lines[~inside], windows.only(~inside), first[~inside], last[~inside])

    def _across(
        self, lines: NDArray[np.intp], windows: Windows, bucket: Column, last: Column
    ) -> None:
        """Those that reach from one bucket into another, a bucket of each at a time."""
        counts = np.stack([windows.samples, windows.values])
        shift = np.where(windows.duration_ns < _LONG_NS, 0, 10)
        done = np.zeros(len(bucket), np.int64)
        while len(bucket):
            ends_ns = self._buckets.start + (bucket + 1) * self._buckets.step
            elapsed = (ends_ns - windows.t0_ns) >> shift
            upto = (elapsed << _BITS) // (windows.duration_ns >> shift)
            upto[bucket == last] = _WHOLE
            part = upto - done
            rest = (counts & (_WHOLE - 1)) * part
            whole = (counts >> _BITS) * part + (rest >> _BITS)
            self._add(0, lines, bucket, whole)
            self._add(1, lines, bucket, rest & (_WHOLE - 1))
            more = bucket < last
            lines, windows, counts = lines[more], windows.only(more), counts[:, more]
            shift, done, last = shift[more], upto[more], last[more]
            bucket = bucket[more] + 1

    def _add(self, kind: int, lines: NDArray[np.intp], buckets: Column, counts: Column) -> None:
        cells = lines * len(self._buckets) + buckets
        for sums, column in zip(self.sums[kind], counts, strict=True):
            np.add.at(sums.reshape(-1), cells, column)

    def add_sums(
        self, lines: NDArray[np.intp], buckets: NDArray[np.int64], sums: NDArray[np.int64]
    ) -> None:
        """Sums as those here, of other lines and buckets: which of these each of them is."""
        starts = np.flatnonzero(np.diff(buckets, prepend=-1))
        if len(starts) < len(buckets):
            sums = np.add.reduceat(sums, starts, axis=3)
        cells = (lines[:, np.newaxis] * len(self._buckets) + buckets[starts]).ravel()
        for mine, other in zip(self.sums.reshape(4, -1), sums.reshape(4, -1), strict=True):
            np.add.at(mine, cells, other)

    def total(self) -> NDArray[np.int64]:
        """Samples and values by bucket, of all lines."""
        return _numbers(self.sums.sum(axis=2))

    def numbers(self) -> NDArray[np.int64]:
        """Samples and values by line and bucket."""
        return _numbers(self.sums)


def _numbers(sums: NDArray[np.int64]) -> NDArray[np.int64]:
    """Whole numbers."""
    whole, rest = np.cumsum(sums, axis=-1)
    numbers: NDArray[np.int64] = np.diff(whole + (rest >> _BITS), axis=-1, prepend=0)
    return numbers
