"""The samples of a selection by host, each a profile: what a comparison takes for independent.

All profiles stand on one tree, that of all functions of the selection, and share its columns:
hundreds of hosts are hundreds of columns of numbers.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from profiler.analysis.frames import FrameTable
from profiler.analysis.tree import Column
from profiler.model import ROOT, Frame, Profile
from server.query.selection import HOST, Selection
from server.store.function_tree import FunctionTree, FunctionTrees
from server.store.group import Group
from server.store.sums import Columns, Log, Sums, add_up


def by_host(
    transaction: sa.Connection, trees: FunctionTrees, selection: Selection
) -> tuple[Profile, ...]:
    """A profile of each host, in alphabetical order, over the range that is selected.

    Frames stand for functions, by the first of each. Raises UsageError where sums leave 64 bits.
    """
    selection.check_sums()
    type, within = selection.type, selection.within
    sums = {
        host: add_up(transaction, groups, selection.kept)
        for host, groups in sorted(_groups(selection).items())
    }
    logs = sorted({log for one in sums.values() for log in one.columns})
    found = trees.of(transaction, logs)
    held = dict(zip(logs, found.trees, strict=True))
    joined = _Joined.of(found.trees, found.frames)
    return tuple(
        Profile(
            joined.frames,
            joined.parents,
            joined.node_frames,
            *_counts(held, one),
            type=type,
            period=one.period,
            start_ns=within.from_ns,
            duration_ns=within.to_ns - within.from_ns,
            labels=((HOST, host),) if host else (),
        )
        for host, one in sums.items()
    )


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
    """Trees below one root, one behind the other."""

    frames: tuple[Frame, ...]
    parents: NDArray[np.int32]
    node_frames: NDArray[np.int32]

    @classmethod
    def of(cls, trees: Sequence[FunctionTree], table: FrameTable) -> Self:
        parents, functions, size = [np.full(1, -1, np.int32)], [np.zeros(0, np.int32)], 0
        for tree in trees:
            above = tree.shape.parents[1:]
            parents.append(np.where(above == ROOT, ROOT, above + np.int32(size)))
            functions.append(tree.shape.functions[1:])
            size += len(above)
        used, node_frames = np.unique(np.concatenate(functions), return_inverse=True)
        return cls(
            tuple(table[number] for number in used.tolist()),
            np.concatenate(parents),
            np.concatenate([[-1], node_frames]).astype(np.int32),
        )


def _counts(trees: Mapping[Log, FunctionTree], sums: Sums) -> tuple[Column, Column]:
    """Samples and values of the joined trees' nodes."""
    root = np.zeros((2, 1), np.int64)
    samples: list[Column] = []
    values: list[Column] = []
    for log, tree in trees.items():
        columns = sums.columns.get(log, Columns()).of(log, len(tree.node_of))
        for row, column, parts in zip(root, columns, (samples, values), strict=True):
            alone = tree.alone(column)
            row += alone[ROOT]
            parts.append(alone[1:])
    return np.concatenate([root[0], *samples]), np.concatenate([root[1], *values])
