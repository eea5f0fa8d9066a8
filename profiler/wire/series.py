"""The profiles of a batch, decoded together: a check takes numpy microseconds for each column that
it is given, so the columns of all series are one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from profiler.errors import FormatError
from profiler.model import Labels
from profiler.v1 import ingest_pb2 as pb
from profiler.wire import checks, limits

_REMEMBERED = 1024
"""Series of a stream whose labels need not be looked at again."""

_SERIES_BYTES = 400
_LABEL_BYTES = 80
"""What one that is remembered takes, and each of its labels: numbers and pairs."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """The samples of one series: node numbers of the stream (each once) and their counts.

    `values` is empty where each is its count times the period; `total` and `value` are the sums.
    """

    labels: Labels
    period: int
    stacks: NDArray[np.uint32]
    samples: NDArray[np.int64]
    values: NDArray[np.int64]
    total: int
    value: int


class SeriesDecoder:
    """Reads the profiles of one stream, whose strings are `strings`, a list that grows."""

    def __init__(self, strings: Sequence[str]) -> None:
        self._strings = strings
        self._labels: dict[tuple[bytes, bytes], Labels] = {}
        self.bytes = 0

    def forget(self) -> None:
        """For whoever takes strings away again."""
        self._labels = {}
        self.bytes = 0

    def decode(self, profiles: Sequence[pb.Profile], nodes: int) -> tuple[Samples, ...]:
        """Of a stream that has so many nodes; raises FormatError."""
        if len(profiles) > limits.PROFILES:
            raise FormatError(f"profiles: {len(profiles)}, at most {limits.PROFILES} a batch")
        labels = [
            self._labels_of(profile.label_names, profile.label_values) for profile in profiles
        ]
        if len(set(labels)) < len(labels):
            twice = next(one for one in labels if labels.count(one) > 1)
            raise FormatError(f"profiles: two have the labels {str(twice)[:200]}")
        periods = [
            checks.bounded("profiles.period", profile.period, limits.COUNT) for profile in profiles
        ]
        return tuple(map(Samples, labels, periods, *_columns(profiles, periods, nodes)))

    def _labels_of(self, names: bytes, values: bytes) -> Labels:
        known = self._labels.get((names, values))
        if known is None:
            if len(self._labels) >= _REMEMBERED:
                self.forget()
            known = self._labels[names, values] = self._checked_labels(names, values)
            self.bytes += _SERIES_BYTES + _LABEL_BYTES * len(known)
        return known

    def _checked_labels(self, names: bytes, values: bytes) -> Labels:
        data = {"label_names": names, "label_values": values}
        columns = checks.columns("profiles", data, {"label_names": "<u4", "label_values": "<u4"})
        if (count := len(columns["label_names"])) > limits.LABELS:
            raise FormatError(f"profiles.label_names: {count}, at most {limits.LABELS} a series")
        for field, column in columns.items():
            checks.below(f"profiles.{field}", column, len(self._strings), "strings")
        found = [
            tuple(self._strings[number] for number in columns[field].tolist()) for field in data
        ]
        labels = tuple(zip(*found, strict=True))
        for name, value in labels:
            checks.name("profiles.label_names", name)
            checks.text(f"the value of the label {name}", value, limits.LABEL_BYTES)
        if any(a >= b for (a, _), (b, _) in pairwise(labels)):
            raise FormatError(
                f"profiles.label_names: {str(list(found[0]))[:200]} are not sorted, each once"
            )
        return labels


def _columns(
    profiles: Sequence[pb.Profile], periods: Sequence[int], nodes: int
) -> tuple[Sequence[NDArray[np.generic]] | Sequence[int], ...]:
    """Stacks, samples, values, and the sums of samples and values, of each profile."""
    stacks, ends = _joined("stacks", "<u4", [profile.stacks for profile in profiles])
    samples, same = _joined("samples", "<u8", [profile.samples for profile in profiles])
    values, valued = _joined("values", "<i8", [profile.values for profile in profiles])
    for n_stacks, n_samples, n_values in zip(*map(_lengths, (ends, same, valued)), strict=True):
        lengths = {"stacks": n_stacks, "samples": n_samples}
        lengths |= {"values": n_values} if n_values else {}
        if len(set(lengths.values())) > 1:
            raise FormatError(f"profiles: columns of different lengths: {lengths}")
    checks.below("profiles.stacks", stacks, nodes, "nodes")
    _check_each_once(stacks, ends)
    if values.min(initial=0) < 0:
        raise FormatError(f"profiles.values: {values.min()} is negative")
    counts = checks.counts("profiles.samples", samples)
    given = checks.counts("profiles.values", values)
    totals, sums = _sums(counts, ends), _sums(given, valued)
    for number, (period, total) in enumerate(zip(periods, totals, strict=True)):
        if valued[number] == valued[number + 1]:
            if period == 0 and ends[number] < ends[number + 1]:
                raise FormatError("profiles.values: none, and no period to tell them by")
            implied = checks.bounded("profiles.samples x period", total * period, limits.COUNT)
            sums[number] = implied
    return _parts(stacks, ends), _parts(counts, ends), _parts(given, valued), totals, sums


def _joined(
    field: str, dtype: str, columns: Sequence[bytes]
) -> tuple[NDArray[np.generic], list[int]]:
    """The columns behind one another, and where each ends, from 0."""
    size = np.dtype(dtype).itemsize
    for column in columns:
        checks.whole(f"profiles.{field}", column, size)
    ends = list(accumulate((len(column) // size for column in columns), initial=0))
    return np.frombuffer(b"".join(columns), dtype), ends


def _lengths(ends: Sequence[int]) -> Iterator[int]:
    return (end - start for start, end in pairwise(ends))


def _parts(column: NDArray[np.generic], ends: Sequence[int]) -> list[NDArray[np.generic]]:
    return [column[start:end] for start, end in pairwise(ends)]


def _sums(column: NDArray[np.int64], ends: Sequence[int]) -> list[int]:
    """Of each part. The sum of the column is known to be within bounds."""
    upto = np.zeros(len(column) + 1, np.int64)
    np.cumsum(column, out=upto[1:])
    sums: list[int] = np.diff(upto[ends]).tolist()
    return sums


def _check_each_once(stacks: NDArray[np.generic], ends: Sequence[int]) -> None:
    """The stacks of a profile stand there once; senders write them in their order."""
    numbers = stacks.astype(np.int64)
    ascending = numbers[1:] > numbers[:-1]
    borders = np.array(ends[1:-1], np.intp)
    ascending[borders[(borders > 0) & (borders < len(numbers))] - 1] = True
    if ascending.all():
        return
    for part in _parts(numbers, ends):
        ordered = np.sort(part)
        twice = np.flatnonzero(ordered[1:] == ordered[:-1])
        if len(twice):
            raise FormatError(f"profiles.stacks: {ordered[twice[0]]} stands there twice")
