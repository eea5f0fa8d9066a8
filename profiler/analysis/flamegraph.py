"""The flamegraph of a profile in columns, as the page draws it.

>>> from profiler.formats import folded
>>> graph = build(folded.loads(b"main;f 3\\nmain;g 1\\n"))
>>> graph.depth.tolist(), graph.frame.tolist(), graph.samples.tolist()
([0, 1, 2, 2], [-1, 0, 1, 2], [4, 4, 3, 1])
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from profiler.analysis import forest, grouping
from profiler.analysis.forest import Forest, merged
from profiler.analysis.tree import Column, levels, preorder
from profiler.errors import UsageError
from profiler.model import Frame, Profile, ProfileType

MAX_NODES = 20_000
"""Enough for every box of a 4K screen that is a pixel wide, and 1 MB on the wire."""


@dataclass(frozen=True, slots=True, eq=False)
class Flamegraph:
    """Nodes in preorder, children by total, largest first, then by name.

    Columns, one entry a node, node 0 the root: `depth` int32, `frame` int32 index into `frames`
    (-1 at the root), `self_values` and `totals` int64 in the unit of the type, `samples` int64
    the total in samples. `hidden_nodes` were cut off; the totals of their parents still hold them.
    """

    type: ProfileType
    frames: tuple[Frame, ...]
    depth: NDArray[np.int32]
    frame: NDArray[np.int32]
    self_values: Column
    totals: Column
    samples: Column
    hidden_nodes: int


def build(profile: Profile, max_nodes: int = MAX_NODES) -> Flamegraph:
    """Draws `profile` with at most `max_nodes` nodes, those of the largest totals.

    Frames of the same function, file, binary and kind become one, shown by the first of them.
    """
    return draw(forest.of(profile), max_nodes)


def draw(trees: Forest, max_nodes: int = MAX_NODES) -> Flamegraph:
    """Draws all trees as one. Of equal nodes of several trees, each counts as hidden."""
    if max_nodes < 1:
        raise UsageError(f"max_nodes is at least 1, got {max_nodes}")
    tree, weights = merged(trees.trees, max_nodes)
    kept = _largest(tree.totals, tree.depth, max_nodes)
    parents = _renumbered(tree.parents, kept)
    function = tree.functions[kept]
    rows = levels(parents)
    place = preorder(parents, rows, -tree.totals[kept], _ranks(trees.keys, function))
    order = np.argsort(place.position)
    frames, frame = _used(trees.frames, function[order])
    drawn = kept[order]
    return Flamegraph(
        type=trees.type,
        frames=frames,
        depth=tree.depth[drawn],
        frame=frame,
        self_values=tree.self_values[drawn],
        totals=tree.totals[drawn],
        samples=tree.samples[drawn],
        hidden_nodes=trees.nodes - int(weights[kept].sum()),
    )


def _largest(totals: Column, depth: NDArray[np.int32], count: int) -> NDArray[np.intp]:
    """The `count` nodes of the largest totals, ascending; of equal ones the higher, so that
    every node that stays has its parent."""
    beyond = len(totals) - count
    if beyond <= 0:
        return np.arange(len(totals))
    least = np.partition(totals, beyond)[beyond]
    larger, equal = np.flatnonzero(totals > least), np.flatnonzero(totals == least)
    higher = equal[np.argsort(depth[equal], kind="stable")]
    return np.sort(np.concatenate([larger, higher[: count - len(larger)]]))


def _renumbered(parents: NDArray[np.int32], kept: NDArray[np.intp]) -> NDArray[np.int32]:
    number = np.full(len(parents), -1, np.int32)
    number[kept] = np.arange(len(kept))
    result = number[parents[kept]]
    result[0] = -1
    return result


def _ranks(keys: Sequence[grouping.FunctionKey], function: NDArray[np.int32]) -> NDArray[np.int32]:
    """Each node's place in the alphabet of the functions that occur; 0 at the root."""
    used, index = np.unique(function[1:], return_inverse=True)
    names = [keys[number] for number in used.tolist()]
    rank = np.empty(len(used), np.int32)
    rank[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(used))
    return np.concatenate([np.zeros(1, np.int32), rank[index]])


def _used(
    frames: Sequence[Frame], function: NDArray[np.int32]
) -> tuple[tuple[Frame, ...], NDArray[np.int32]]:
    """The frames of the functions in order of use, and each node's index into these."""
    used, first, index = np.unique(function[1:], return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty(len(used), np.int32)
    place[order] = np.arange(len(used))
    chosen = tuple(frames[number] for number in used[order].tolist())
    return chosen, np.concatenate([np.full(1, -1, np.int32), place[index]])
