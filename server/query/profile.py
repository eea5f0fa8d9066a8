"""The samples of a selection as one profile.

Each epoch of a scope has its own numbers, so its rows are added into one column a log, without
touching a stack. What has samples is cut out of that log as a Profile, and these are merged.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import groupby
from operator import attrgetter

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from profiler.analysis import tree
from profiler.errors import UsageError
from profiler.model import ROOT, Labels, Profile, ProfileBuilder, ProfileType
from server.query.selection import Selection
from server.store import samples
from server.store.blob import DamagedError
from server.store.catalog import Series
from server.store.samples import Part
from server.store.symbols import SymbolReader, SymbolTree

_LARGEST_SUM = 2**63 - 1


def merged_profile(
    transaction: sa.Connection, symbols: SymbolReader, selection: Selection
) -> Profile:
    """All samples of the selection; its window is the range, its labels those that all share."""
    type, within = selection.type, selection.within
    parts: list[Profile] = []
    with closing(samples.read(transaction, selection.groups, within)) as stored:
        rows = _Counted(stored)
        for scope_id, group in groupby(rows, key=attrgetter("scope_id")):
            epochs: dict[int, _Columns] = {}
            for row in group:
                if row.epoch not in epochs:
                    epochs[row.epoch] = _Columns(symbols.tree(transaction, scope_id, row.epoch))
                epochs[row.epoch].add(row)
            parts += [columns.profile(type) for columns in epochs.values()]
    return replace(
        _merged(parts, type),
        period=rows.period,
        start_ns=within.from_ns,
        duration_ns=within.to_ns - within.from_ns,
        labels=_shared_labels(selection.series),
    )


def _merged(parts: list[Profile], type: ProfileType) -> Profile:
    if not parts:
        return ProfileBuilder().build(type)
    return parts[0] if len(parts) == 1 else tree.merge(parts)


class _Counted:
    """Passes rows on, and remembers what is true of all of them."""

    def __init__(self, rows: Iterator[Part]) -> None:
        self._rows = rows
        self._periods: set[int] = set()
        self._samples = self._value = 0

    def __iter__(self) -> Iterator[Part]:
        """Raises UsageError where the sums leave 64 bits."""
        for row in self._rows:
            self._periods.add(row.period)
            self._samples += row.samples
            self._value += row.value
            if max(self._samples, self._value) > _LARGEST_SUM:
                raise UsageError("the sums of this range exceed 64 bits: choose a shorter range")
            yield row

    @property
    def period(self) -> int:
        """That of all rows, 0 where they differ."""
        return next(iter(self._periods)) if len(self._periods) == 1 else 0


class _Columns:
    """The samples of one epoch, an entry a node of its log."""

    def __init__(self, log: SymbolTree) -> None:
        self._log = log
        self._samples = np.zeros(len(log.parents), np.int64)
        self._values = np.zeros(len(log.parents), np.int64)

    def add(self, row: Part) -> None:
        entries = row.entries
        if len(entries.nodes) and entries.nodes[-1] >= len(self._samples):
            raise DamagedError(
                f"epoch {row.epoch} of scope {row.scope_id} has samples at node "
                f"{entries.nodes[-1]}, its log ends at {len(self._samples) - 1}"
            )
        # Each node stands once in a row, so this adds as np.add.at would, in half the time.
        self._samples[entries.nodes] += entries.samples
        values = entries.values if len(entries.values) else entries.samples * row.period
        self._values[entries.nodes] += values

    def profile(self, type: ProfileType) -> Profile:
        """What has samples, and what stands above it."""
        nodes = self._kept()
        number = np.zeros(len(self._log.parents), np.int32)
        number[nodes] = np.arange(len(nodes))
        parents = number[self._log.parents[nodes]]
        parents[ROOT] = -1
        used, node_frames = np.unique(self._log.node_frames[nodes[1:]], return_inverse=True)
        return Profile(
            frames=tuple(self._log.frames[frame] for frame in used.tolist()),
            parents=parents,
            node_frames=np.concatenate([[-1], node_frames]).astype(np.int32),
            samples=self._samples[nodes],
            values=self._values[nodes],
            type=type,
        )

    def _kept(self) -> NDArray[np.intp]:
        kept = (self._samples | self._values) != 0
        level = np.flatnonzero(kept)
        kept[ROOT] = True
        while len(level):
            above = np.maximum(self._log.parents[level], ROOT)
            level = np.unique(above[~kept[above]])
            kept[level] = True
        return np.flatnonzero(kept)


def _shared_labels(series: Sequence[Series]) -> Labels:
    """The labels that are the same in all series."""
    if not series:
        return ()
    shared = set(series[0].labels.items())
    return tuple(sorted(shared.intersection(*(one.labels.items() for one in series[1:]))))
