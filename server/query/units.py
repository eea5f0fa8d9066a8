"""The samples of a selection by host, each a profile: what a comparison takes for independent.

Where there are few hosts, each is a unit in every of several windows of the range. All units stand
on one tree, that of the functions which have samples there, and share its columns: hundreds of
hosts are hundreds of columns of numbers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from profiler.analysis.ground import Ground, tree_id
from profiler.analysis.grouping import FunctionKey
from profiler.analysis.shape import Shape, below, joined, numbered
from profiler.model import ROOT, Frame, Profile
from profiler.timerange import SECOND
from server.query.selection import HOST, Selection
from server.store.function_tree import Found, FunctionTree, FunctionTrees
from server.store.hours import TimeRange
from server.store.sums import NOTHING, Log, Sums, add_up_apart

UNITS = 6
"""With fewer hosts, there are so many units by windows."""

SHORTEST_NS = 30 * SECOND
"""Of a window: some drains, so that one that lies on a border matters little."""


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """Those of each of some selections, and the tree on which all of them stand."""

    sides: tuple[tuple[Profile, ...], ...]
    ground: Ground


def of(transaction: sa.Connection, trees: FunctionTrees, *selections: Selection) -> Units:
    """A profile of each host and window, hosts in alphabetical order. Frames stand for functions,
    by the first of each. Raises UsageError where sums leave 64 bits."""
    read = [_Read.of(transaction, selection) for selection in selections]
    joined = _Joined.of(transaction, trees, [sums for side in read for sums in side.sums])
    sides = tuple(tuple(joined.profiles(side)) for side in read)
    places = {tree_id(unit): None for units in sides for unit in units}
    return Units(sides, Ground(joined.shape, joined.keys, places))


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """A selection's hosts and windows, and the sums of each."""

    selection: Selection
    units: Sequence[tuple[str, TimeRange]]
    sums: Sequence[Sums]

    @classmethod
    def of(cls, transaction: sa.Connection, selection: Selection) -> Self:
        selection.check_sums()
        host_of = {
            (one.scope_id, one.series_id): one.labels.get(HOST, "") for one in selection.series
        }
        hosts = sorted(set(host_of.values()))
        windows = list(_windows(selection, len(hosts))) if hosts else []
        read = {
            window: add_up_apart(transaction, selection.groups, window, host_of)
            for window in windows
        }
        units = [(host, window) for host in hosts for window in windows]
        return cls(selection, units, [read[window].get(host, NOTHING) for host, window in units])


def _windows(selection: Selection, hosts: int) -> Iterator[TimeRange]:
    """The range, in one piece where there are hosts enough."""
    kept = selection.kept
    length = kept.to_ns - kept.from_ns
    count = max(1, min(-(-UNITS // hosts), length // SHORTEST_NS)) if hosts < UNITS // 2 else 1
    edges = [kept.from_ns + length * number // count for number in range(count + 1)]
    for start, end in pairwise(edges):
        window = selection.horizon.clip(TimeRange(start, end))
        if window.from_ns < window.to_ns:
            yield window


@dataclass(frozen=True, slots=True, eq=False)
class _Joined:
    """The functions of all logs that have samples, as one tree."""

    shape: Shape
    keys: Sequence[FunctionKey]
    frames: tuple[Frame, ...]
    places: Mapping[Log, NDArray[np.intp]]
    """Of each node of a log, in the shape; those without samples stand at the root."""

    @classmethod
    def of(cls, transaction: sa.Connection, trees: FunctionTrees, read: Sequence[Sums]) -> Self:
        logs = sorted({log for sums in read for log in sums.columns})
        found = trees.of(transaction, logs)
        shapes, places = [], {}
        for log, tree in zip(logs, found.trees, strict=True):
            held = _held(tree, log, read)
            if 2 * np.count_nonzero(held) > len(held):
                shapes.append(tree.shape)
                places[log] = tree.place_of
            else:
                shapes.append(tree.shape.only(held))
                places[log] = np.where(held, np.cumsum(held) - 1, ROOT)[tree.place_of]
        if len(shapes) != 1:
            shape, moved = joined([(one.parents, one.functions) for one in shapes], found.ranks)
            places = {log: place[places[log]] for log, place in zip(logs, moved, strict=True)}
            shapes = [shape]
        return cls._of(shapes[0], places, found)

    @classmethod
    def _of(cls, shape: Shape, places: Mapping[Log, NDArray[np.intp]], found: Found) -> Self:
        """With numbers of the functions that are there."""
        functions, number = numbered(shape.functions, len(found.frames))
        used = functions.tolist()
        frames = tuple(map(found.frames.__getitem__, used))
        keys = list(map(found.keys.__getitem__, used))
        return cls(replace(shape, functions=number[shape.functions]), keys, frames, places)

    def profiles(self, read: _Read) -> Iterator[Profile]:
        counts = np.zeros((len(read.units), 2, len(self.shape)), np.int64)
        for (host, window), sums, columns in zip(read.units, read.sums, counts, strict=True):
            samples, values = columns
            self._count(sums, columns)
            samples, values = columns
            yield Profile(
                self.frames,
                self.shape.parents,
                self.shape.functions,
                samples,
                values,
                type=read.selection.type,
                period=sums.period,
                start_ns=window.from_ns,
                duration_ns=window.to_ns - window.from_ns,
                labels=((HOST, host),) if host else (),
            )

    def _count(self, sums: Sums, added: NDArray[np.int64]) -> None:
        """Samples and values by node."""
        for log in sums.columns:
            place = self.places[log]
            for row, column in zip(added, _columns(sums, log, len(place)), strict=False):
                np.add.at(row, place, column)
        if sums.period:
            np.multiply(added[0], sums.period, out=added[1])


def _columns(sums: Sums, log: Log, nodes: int) -> tuple[NDArray[np.int64], ...]:
    """Samples and, where they are not these times the period, values."""
    columns = sums.columns[log]
    return (columns.samples(log, nodes),) if sums.period else columns.of(log, nodes)


def _held(tree: FunctionTree, log: Log, read: Sequence[Sums]) -> NDArray[np.bool_]:
    """The nodes of the shape that have samples, and what stands above them."""
    found = np.zeros(len(tree.node_of), np.int64)
    for sums in read:
        if log in sums.columns:
            for column in _columns(sums, log, len(found)):
                found |= column
    held: NDArray[np.bool_] = below(tree.shape, tree.alone(found != 0)) != 0
    held[ROOT] = True
    return held
