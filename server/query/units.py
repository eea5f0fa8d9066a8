"""The samples of a selection by host, each a profile: what a comparison takes for independent.

Where there are few hosts, each is a unit in every of several windows of the range. All units stand
on one tree, that of the functions which have samples there, and share its columns: hundreds of
hosts are hundreds of columns of numbers.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from profiler.analysis.forest import Shape, below
from profiler.analysis.frames import FrameTable
from profiler.analysis.tree import Column
from profiler.model import ROOT, Frame, Profile
from profiler.timerange import SECOND
from server.query.selection import HOST, Selection
from server.store.function_tree import FunctionTree, FunctionTrees
from server.store.group import Group
from server.store.hours import TimeRange
from server.store.sums import Columns, Log, Sums, add_up

UNITS = 6
"""With fewer hosts, there are so many units by windows."""

SHORTEST_NS = 30 * SECOND
"""Of a window: some drains, so that one that lies on a border matters little."""


def of(
    transaction: sa.Connection, trees: FunctionTrees, selection: Selection
) -> tuple[Profile, ...]:
    """A profile of each host and window, hosts in alphabetical order. Frames stand for functions,
    by the first of each. Raises UsageError where sums leave 64 bits."""
    selection.check_sums()
    joined = _Joined.of(transaction, trees, selection)
    groups = sorted(_groups(selection).items())
    return tuple(
        joined.profile(host, window, add_up(transaction, members, window), selection)
        for host, members in groups
        for window in _windows(selection, len(groups))
    )


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


def _groups(selection: Selection) -> dict[str, list[Group]]:
    """The series of each host, a group a scope."""
    numbers: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    for one in selection.series:
        numbers[one.labels.get(HOST, ""), one.scope_id].append(one.series_id)
    groups: defaultdict[str, list[Group]] = defaultdict(list)
    for (host, scope_id), members in numbers.items():
        group = Group(selection.selector.profile_type, (scope_id,), tuple(members))
        groups[host].append(group)
    return groups


@dataclass(frozen=True, slots=True, eq=False)
class _Joined:
    """The functions of each log that have samples, below one root, one log behind the other."""

    trees: Mapping[Log, FunctionTree]
    held: Mapping[Log, NDArray[np.intp]]
    """The nodes of each shape that are here, without the root."""
    frames: tuple[Frame, ...]
    parents: NDArray[np.int32]
    node_frames: NDArray[np.int32]

    @classmethod
    def of(cls, transaction: sa.Connection, trees: FunctionTrees, selection: Selection) -> Self:
        sums = add_up(transaction, selection.groups, selection.kept)
        found = trees.of(transaction, sums.columns)
        held = dict(zip(sums.columns, found.trees, strict=True))
        chosen = {log: _held(tree, log, sums) for log, tree in held.items()}
        shapes = [tree.shape.only(chosen[log]) for log, tree in held.items()]
        nodes = {log: np.flatnonzero(mask)[1:] for log, mask in chosen.items()}
        return cls(held, nodes, *_columns(shapes, found.frames))

    def profile(self, host: str, window: TimeRange, sums: Sums, selection: Selection) -> Profile:
        samples, values = self._counts(sums)
        return Profile(
            self.frames,
            self.parents,
            self.node_frames,
            samples,
            values,
            type=selection.type,
            period=sums.period,
            start_ns=window.from_ns,
            duration_ns=window.to_ns - window.from_ns,
            labels=((HOST, host),) if host else (),
        )

    def _counts(self, sums: Sums) -> tuple[Column, Column]:
        root = np.zeros((2, 1), np.int64)
        parts: tuple[list[Column], list[Column]] = ([root[0]], [root[1]])
        for log, tree in self.trees.items():
            columns = sums.columns.get(log, Columns()).of(log, len(tree.node_of))
            for row, column, part in zip(root, columns, parts, strict=True):
                alone = tree.alone(column)
                row += alone[ROOT]
                part.append(alone[self.held[log]])
        samples, values = (np.concatenate(part) for part in parts)
        return samples, values


def _held(tree: FunctionTree, log: Log, sums: Sums) -> NDArray[np.bool_]:
    samples, values = sums.columns[log].of(log, len(tree.node_of))
    held: NDArray[np.bool_] = below(tree.shape, tree.alone(samples | values)) != 0
    held[ROOT] = True
    return held


def _columns(
    shapes: list[Shape], table: FrameTable
) -> tuple[tuple[Frame, ...], NDArray[np.int32], NDArray[np.int32]]:
    """Frames, parents and frames of nodes, as a Profile has them."""
    parents, functions, size = [np.full(1, -1, np.int32)], [np.zeros(0, np.int32)], 0
    for shape in shapes:
        above = shape.parents[1:]
        parents.append(np.where(above == ROOT, ROOT, above + np.int32(size)))
        functions.append(shape.functions[1:])
        size += len(above)
    used, node_frames = np.unique(np.concatenate(functions), return_inverse=True)
    frames = tuple(table[number] for number in used.tolist())
    return frames, np.concatenate(parents), np.concatenate([[-1], node_frames]).astype(np.int32)
