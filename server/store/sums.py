"""The samples of some series, added up: a column a log, without touching a stack."""

from collections.abc import Iterable, Sequence
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


class Columns:
    """Samples and values, an entry a node of a log."""

    def __init__(self) -> None:
        self._samples = np.zeros(0, np.int64)
        self._values = np.zeros(0, np.int64)
        self._period: int | None = None
        """The value of each sample so far, 0 where it varies: then `_values` has them."""

    def add(self, part: Part) -> None:
        entries = part.entries
        if not len(entries.nodes):
            return
        self._know(0 if len(entries.values) else part.period)
        self._reach(int(entries.nodes[-1]) + 1)
        # Each node stands once in a part, so this adds as np.add.at would, in half the time.
        self._samples[entries.nodes] += entries.samples
        if not self._period:
            values = entries.values if len(entries.values) else entries.samples * part.period
            self._values[entries.nodes] += values

    def _know(self, period: int) -> None:
        if self._period is None:
            self._period = period
        elif self._period != period:
            if self._period:
                self._values = self._samples * self._period
            self._period = 0

    def _reach(self, length: int) -> None:
        if length > len(self._samples):
            size = 1 << length.bit_length()
            self._samples = _longer(self._samples, size)
            if not self._period:
                self._values = _longer(self._values, size)

    def of(self, log: Log, nodes: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(samples, values), one entry a node of the log, which has so many."""
        if self._samples[nodes:].any() or self._values[nodes:].any():
            raise DamagedError(
                f"epoch {log[1]} of scope {log[0]} has samples beyond its log, "
                f"which ends at node {nodes - 1}"
            )
        self._reach(nodes)
        samples = self._samples[:nodes]
        return samples, samples * self._period if self._period else self._values[:nodes]


def _longer(column: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    longer = np.zeros(size, np.int64)
    longer[: len(column)] = column
    return longer


def add_up(transaction: sa.Connection, groups: Sequence[Group], within: TimeRange) -> Sums:
    """Of the profiles that begin in the range; raises UsageError where the sums leave 64 bits."""
    with closing(samples.read(transaction, groups, within)) as parts:
        return added(parts)


def added(parts: Iterable[Part]) -> Sums:
    """Raises UsageError where the sums leave 64 bits."""
    columns: dict[Log, Columns] = {}
    periods = set()
    count = value = 0
    for part in parts:
        periods.add(part.period)
        count, value = count + part.samples, value + part.value
        if max(count, value) > LARGEST_SUM:
            raise UsageError("the sums of this range exceed 64 bits: choose a shorter range")
        columns.setdefault((part.scope_id, part.epoch), Columns()).add(part)
    (period,) = periods if len(periods) == 1 else (0,)
    return Sums({log: columns[log] for log in sorted(columns)}, count, value, period)
