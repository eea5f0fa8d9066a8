"""The samples of some series, added up: a column a log, without touching a stack."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from profiler.errors import UsageError
from server.store import samples
from server.store.blob import DamagedError
from server.store.group import Group
from server.store.hours import TimeRange
from server.store.samples import Part
from server.store.totals import LARGEST_SUM

Log = tuple[int, int]
"""Scope and epoch: node numbers are of one log."""


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """`columns` by log, in the order of logs, and their sums; `period` of all samples, 0 where it
    varies."""

    columns: dict[Log, "Columns"]
    samples: int
    value: int
    period: int


NOTHING = Sums({}, 0, 0, 0)


class Columns:
    """Samples and values, an entry a node of a log."""

    def __init__(self) -> None:
        self._samples = np.zeros(0, np.int64)
        self._values = np.zeros(0, np.int64)
        self._end = 0
        """Behind the last node that has some."""
        self._period: int | None = None
        """The value of each sample so far, 0 where it varies: then `_values` has them."""

    def add(self, part: Part) -> None:
        entries = part.entries
        if not len(entries.nodes):
            return
        self._know(0 if len(entries.values) else part.period)
        self._end = max(self._end, int(entries.nodes[-1]) + 1)
        self._reach(self._end)
        np.add.at(self._samples, entries.nodes, entries.samples)
        if not self._period:
            values = entries.values if len(entries.values) else entries.samples * part.period
            np.add.at(self._values, entries.nodes, values)

    def _know(self, period: int) -> None:
        if self._period is None:
            self._period = period
        elif self._period != period:
            if self._period:
                self._values = self._samples * self._period
            self._period = 0

    def _reach(self, length: int) -> None:
        if length > len(self._samples):
            # Exactly so long at first: days of hosts are one part, and there are many at once.
            size = max(length, len(self._samples) * 3 // 2)
            self._samples = _longer(self._samples, size)
            if not self._period:
                self._values = _longer(self._values, size)

    def of(self, log: Log, nodes: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(samples, values), one entry a node of the log, which has so many."""
        samples = self.samples(log, nodes)
        return samples, samples * self._period if self._period else self._values[:nodes]

    def samples(self, log: Log, nodes: int) -> NDArray[np.int64]:
        """The first of these."""
        if self._end > nodes:
            raise DamagedError(
                f"epoch {log[1]} of scope {log[0]} has samples beyond its log, "
                f"which ends at node {nodes - 1}"
            )
        self._reach(nodes)
        return self._samples[:nodes]


def _longer(column: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    longer = np.zeros(size, np.int64)
    longer[: len(column)] = column
    return longer


def add_up(transaction: sa.Connection, groups: Sequence[Group], within: TimeRange) -> Sums:
    """Of the profiles that begin in the range; raises UsageError where the sums leave 64 bits."""
    with closing(samples.read(transaction, groups, within)) as parts:
        return added(parts)


def add_up_apart(
    transaction: sa.Connection,
    groups: Sequence[Group],
    within: TimeRange,
    apart: Mapping[tuple[int, int], str],
) -> Mapping[str, Sums]:
    """The same by what is given for each scope and series, in one pass over all of them."""
    found: defaultdict[str, _Adding] = defaultdict(_Adding)
    with closing(samples.by_series(transaction, groups, within, hourly=False)) as parts:
        for series_id, _, part in parts:
            found[apart[part.scope_id, series_id]].add(part)
    return {name: adding.sums() for name, adding in found.items()}


def added(parts: Iterable[Part]) -> Sums:
    """Raises UsageError where the sums leave 64 bits."""
    adding = _Adding()
    for part in parts:
        adding.add(part)
    return adding.sums()


class _Adding:
    """Sums that are not yet complete."""

    def __init__(self) -> None:
        self._columns: dict[Log, Columns] = {}
        self._periods: set[int] = set()
        self._samples = self._value = 0

    def add(self, part: Part) -> None:
        self._periods.add(part.period)
        self._samples += part.samples
        self._value += part.value
        if max(self._samples, self._value) > LARGEST_SUM:
            raise UsageError("the sums of this range exceed 64 bits: choose a shorter range")
        self._columns.setdefault((part.scope_id, part.epoch), Columns()).add(part)

    def sums(self) -> Sums:
        (period,) = self._periods if len(self._periods) == 1 else (0,)
        columns = {log: self._columns[log] for log in sorted(self._columns)}
        return Sums(columns, self._samples, self._value, period)
