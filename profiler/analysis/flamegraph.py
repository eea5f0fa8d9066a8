"""The flamegraph of a profile in columns, as the page draws it.

>>> from profiler.formats import folded
>>> graph = build(folded.loads(b"main;f 3\\nmain;g 1\\n"))
>>> graph.depth.tolist(), graph.frame.tolist(), graph.samples.tolist()
([0, 1, 2, 2], [-1, 0, 1, 2], [4, 4, 3, 1])
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from profiler.analysis import forest
from profiler.analysis.forest import Forest, Tree, largest
from profiler.analysis.frames import FrameTable
from profiler.analysis.shape import Shape, sorting
from profiler.analysis.tree import Column
from profiler.errors import UsageError
from profiler.model import ROOT, Frame, Profile, ProfileType

MAX_NODES = 20_000
"""Enough for every box of a 4K screen that is a pixel wide, and 1 MB on the wire."""


@dataclass(frozen=True, slots=True, eq=False)
class Flamegraph:
    """Nodes in preorder, children by total, largest first, then by name.

    Columns, one entry a node, node 0 the root: `depth` int32, `frame` int32 index into `frames`
    (-1 at the root), `self_values` and `totals` int64 in the unit of the type, `samples` int64
    the total in samples. `hidden_nodes` were cut off; the totals of their parents still hold them,
    `unsent` says how much of each.
    `functions` are the numbers of `frames` in `table`.
    """

    type: ProfileType
    table: FrameTable
    functions: NDArray[np.intp]
    depth: NDArray[np.int32]
    frame: NDArray[np.int32]
    self_values: Column
    totals: Column
    samples: Column
    unsent: Column
    hidden_nodes: int

    @property
    def frames(self) -> tuple[Frame, ...]:
        return tuple(self.table[number] for number in self.functions.tolist())


def build(profile: Profile, max_nodes: int = MAX_NODES) -> Flamegraph:
    """Draws `profile` with at most `max_nodes` nodes, those of the largest totals.

    Frames of the same function, file, binary and kind become one, shown by the first of them.
    """
    return draw(forest.of(profile), max_nodes)


def draw(trees: Forest, max_nodes: int = MAX_NODES) -> Flamegraph:
    """Draws all trees as one. Of equal nodes of several trees, each counts as hidden."""
    if max_nodes < 1:
        raise UsageError(f"max_nodes is at least 1, got {max_nodes}")
    tree, count = largest(trees, max_nodes)
    order = by_total(tree.shape, tree.totals)
    functions, frame = _used(tree.shape.functions[order], len(trees.ranks))
    return Flamegraph(
        type=trees.type,
        table=trees.frames,
        functions=functions,
        depth=tree.shape.depth[order],
        frame=frame,
        self_values=tree.self_values[order],
        totals=tree.totals[order],
        samples=tree.samples[order],
        unsent=_unsent(tree)[order],
        hidden_nodes=trees.nodes - count,
    )


def _unsent(tree: Tree) -> Column:
    """What each node's total has beyond its own and those of its children."""
    rest = tree.totals - tree.self_values
    np.subtract.at(rest, tree.shape.parents[1:], tree.totals[1:])
    return rest


def by_total(shape: Shape, totals: Column | NDArray[np.float64]) -> NDArray[np.intp]:
    """The nodes in another preorder: siblings by total, largest first, then as they stood.

    A node's position is the sum of what it and each of its callers are moved on from where their
    own parents stand. A sum over callers is a sum from the left, of what begins with a node and
    ends with its subtree.
    """
    parents, end = shape.parents, shape.end
    sizes = end - np.arange(len(end))
    siblings = np.argsort(-totals, kind="stable")
    siblings = siblings[sorting(parents[siblings])]
    family = parents[siblings]
    before = np.cumsum(sizes[siblings]) - sizes[siblings]
    moved = np.zeros(len(end) + 1, np.int64)
    moved[siblings] = 1 + before - before[np.searchsorted(family, family)]
    moved[ROOT] = 0
    np.subtract.at(moved, end, moved[:-1].copy())
    order = np.empty(len(end), np.intp)
    order[np.cumsum(moved[:-1])] = np.arange(len(end))
    return order


def _used(function: NDArray[np.int32], count: int) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """The functions, of so many, in order of use, and each node's index into these."""
    place = np.full(count + 1, len(function), np.int32)  # the root's function is -1, the last one
    place[function[::-1]] = np.arange(len(function) - 1, -1, -1)  # the first node of each stays
    place[-1] = len(function)
    used = np.flatnonzero(place < len(function))
    used = used[np.argsort(place[used])]
    place[used] = np.arange(len(used))
    place[-1] = -1
    return used, place[function]
