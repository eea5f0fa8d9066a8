"""Prefix trees in columns: depths, sums over subtrees, preorder, and folding several into one.

A tree is its column `parents`: one entry a node, node 0 the root with parent -1, parents before
their children. The work is done level by level, each level at once in numpy, so that the cost in
Python is that of the deepest stack and not of the number of nodes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from profiler.errors import UsageError
from profiler.model import CPU, ROOT, Frame, Labels, Profile, ProfileBuilder

T = TypeVar("T")
Integers = NDArray[np.integer]
Column = NDArray[np.int64]

MAX_TOTAL = 2**63 - 1


def depths(parents: Integers) -> NDArray[np.int32]:
    """The number of frames above and including each node; 0 at the root."""
    ancestors = parents.astype(np.intp)
    ancestors[ROOT] = ROOT
    depth = np.ones(len(parents), np.int32)
    depth[ROOT] = 0
    while ancestors.any():  # each round doubles the distance looked up
        depth += depth[ancestors]
        ancestors = ancestors[ancestors]
    return depth


def levels(parents: Integers) -> list[NDArray[np.intp]]:
    """The nodes of each depth, from [root] down."""
    depth = depths(parents)
    order = np.argsort(depth, kind="stable")
    return np.split(order, np.cumsum(np.bincount(depth))[:-1])


def sums(column: Column, parents: Integers, rows: Sequence[NDArray[np.intp]]) -> Column:
    """`column` summed over the subtree of each node; `rows` are `levels(parents)`."""
    total = column.astype(np.int64)
    for row in reversed(rows[1:]):
        np.add.at(total, parents[row], total[row])
    return total


def totals(profile: Profile, column: Column) -> Column:
    """`profile.samples` or `profile.values` with everything below each node, one entry a node."""
    return sums(column, profile.parents, levels(profile.parents))


@dataclass(frozen=True, slots=True, eq=False)
class Preorder:
    """Where each node stands when a node's first child follows it, one entry a node.

    The subtree of a node takes the positions from its `position` up to, without, its `end`.
    """

    position: NDArray[np.intp]
    end: NDArray[np.intp]


def preorder(parents: Integers, rows: Sequence[NDArray[np.intp]], *sort_keys: Integers) -> Preorder:
    """Siblings stand by `sort_keys`, the first the most significant, then by number."""
    sizes = sums(np.ones(len(parents), np.int64), parents, rows)
    order = np.lexsort((*reversed(sort_keys), parents))
    family = parents[order]
    before = np.cumsum(sizes[order]) - sizes[order]
    offsets = np.empty_like(sizes)
    offsets[order] = before - before[np.searchsorted(family, family)]
    position = np.zeros(len(parents), np.intp)
    for row in rows[1:]:
        position[row] = position[parents[row]] + 1 + offsets[row]
    return Preorder(position, position + sizes)


def paths(profile: Profile, labels: Sequence[T]) -> Iterator[tuple[int, list[T]]]:
    """Every node that has samples, in preorder, with the labels of its frames, root first.

    `labels` has one entry a frame of the profile: names, numbers, whatever a format writes.
    """
    rows = levels(profile.parents)
    order = np.argsort(preorder(profile.parents, rows).position)
    wanted = (profile.samples | profile.values) != 0
    columns = (order, depths(profile.parents)[order], profile.node_frames[order], wanted[order])
    path: list[T] = []
    for node, depth, frame, has_samples in zip(*(c.tolist() for c in columns), strict=True):
        if node != ROOT:
            path[depth - 1 :] = [labels[frame]]
        if has_samples:
            yield node, path.copy()


@dataclass(frozen=True, slots=True, eq=False)
class Folded:
    """A tree in which siblings differ in their key; `node_of` maps the nodes it was made from."""

    parents: NDArray[np.int32]
    keys: NDArray[np.int32]
    node_of: NDArray[np.intp]

    def add(self, column: Column) -> Column:
        """A column of the old nodes, summed by the nodes that they became."""
        total = np.zeros(len(self.parents), np.int64)
        np.add.at(total, self.node_of, column)
        return total


def fold(parents: Integers, keys: Integers) -> Folded:
    """Makes siblings of equal key one node, from the root down; the root's key becomes -1."""
    width = int(keys.max(initial=0)) + 1
    node_of = np.zeros(len(parents), np.intp)
    new_parents = [np.array([-1], np.int32)]
    new_keys = [np.array([-1], np.int32)]
    size = 1
    for row in levels(parents)[1:]:
        pairs, index = np.unique(
            node_of[parents[row]].astype(np.int64) * width + keys[row], return_inverse=True
        )
        node_of[row] = size + index
        new_parents.append((pairs // width).astype(np.int32))
        new_keys.append((pairs % width).astype(np.int32))
        size += len(pairs)
    return Folded(np.concatenate(new_parents), np.concatenate(new_keys), node_of)


def merge(profiles: Iterable[Profile]) -> Profile:
    """One profile with all their samples: equal stacks become one, their counts are added.

    The window spans all of theirs, the labels are those they share, the period is theirs where
    all have the same and else 0. Of nothing it is an empty profile; profiles of different types,
    and those whose sums exceed 64 bits, raise UsageError.
    """
    parts = list(profiles)
    if not parts:
        return ProfileBuilder().build(CPU)
    for part in parts:
        if part.type != parts[0].type:
            raise UsageError(f"cannot add {part.type} to {parts[0].type}; choose one profile type")
    for total in (sum(p.total_samples for p in parts), sum(p.total_value for p in parts)):
        if total > MAX_TOTAL:
            raise UsageError(f"the profiles add up to {total:,}, more than 64 bits hold: add fewer")
    frames: dict[Frame, int] = {}
    tree = fold(_concatenated_parents(parts), _concatenated_keys(parts, frames))
    start_ns, duration_ns = _window(parts)
    return replace(
        parts[0],
        frames=tuple(frames),
        parents=tree.parents,
        node_frames=tree.keys,
        samples=tree.add(_concatenated([part.samples for part in parts])),
        values=tree.add(_concatenated([part.values for part in parts])),
        period=parts[0].period if len({part.period for part in parts}) == 1 else 0,
        start_ns=start_ns,
        duration_ns=duration_ns,
        labels=_shared_labels(parts),
    )


def _concatenated(columns: Sequence[Integers]) -> NDArray[np.int64]:
    """One column for all trees, which share node 0: their roots' entries are added there."""
    root = np.array([sum(int(column[ROOT]) for column in columns)], np.int64)
    return np.concatenate([root, *(column[1:] for column in columns)])


def _concatenated_parents(parts: Sequence[Profile]) -> NDArray[np.int64]:
    shifted = [np.array([-1], np.int64)]
    before = 0
    for part in parts:
        parents = part.parents[1:].astype(np.int64)
        shifted.append(np.where(parents == ROOT, ROOT, parents + before))
        before += len(parents)
    return np.concatenate(shifted)


def _concatenated_keys(parts: Sequence[Profile], frames: dict[Frame, int]) -> NDArray[np.int64]:
    """Each node's number in `frames`, to which the frames of all parts are added."""
    keys = [np.array([-1], np.int64)]
    for part in parts:
        numbers = [frames.setdefault(frame, len(frames)) for frame in part.frames]
        keys.append(np.array(numbers, np.int64)[part.node_frames[1:]])
    return np.concatenate(keys)


def _window(parts: Sequence[Profile]) -> tuple[int, int]:
    """Start and duration that span all windows; a part of unknown time (0, 0) does not count."""
    known = [part for part in parts if part.start_ns or part.duration_ns] or list(parts)
    start_ns = min(part.start_ns for part in known)
    return start_ns, max(part.start_ns + part.duration_ns for part in known) - start_ns


def _shared_labels(parts: Sequence[Profile]) -> Labels:
    shared = set(parts[0].labels).intersection(*(part.labels for part in parts[1:]))
    return tuple(sorted(shared))
