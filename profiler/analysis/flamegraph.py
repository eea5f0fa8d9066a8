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

from profiler.analysis import grouping
from profiler.analysis.tree import Column, depths, fold, levels, preorder, sums
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
    if max_nodes < 1:
        raise UsageError(f"max_nodes is at least 1, got {max_nodes}")
    keys, function_of = grouping.by_function(profile.frames)
    tree = fold(profile.parents, _functions_of_nodes(profile, function_of))
    rows = levels(tree.parents)
    self_values = tree.add(profile.values)
    totals = sums(self_values, tree.parents, rows)
    samples = sums(tree.add(profile.samples), tree.parents, rows)

    kept = _largest(totals, depths(tree.parents), max_nodes)
    parents = _renumbered(tree.parents, kept)
    function = tree.keys[kept]
    place = preorder(parents, levels(parents), -totals[kept], _ranks(keys, function))
    order = np.argsort(place.position)
    frames, frame = _used(profile.frames, function_of, function[order])
    drawn = kept[order]
    return Flamegraph(
        type=profile.type,
        frames=frames,
        depth=depths(parents)[order],
        frame=frame,
        self_values=self_values[drawn],
        totals=totals[drawn],
        samples=samples[drawn],
        hidden_nodes=len(tree.parents) - len(kept),
    )


def _functions_of_nodes(profile: Profile, function_of: NDArray[np.int32]) -> NDArray[np.int32]:
    numbers = np.full(len(profile.node_frames), -1, np.int32)
    numbers[1:] = function_of[profile.node_frames[1:]]
    return numbers


def _largest(totals: Column, depth: NDArray[np.int32], count: int) -> NDArray[np.intp]:
    """The `count` nodes of the largest totals, ascending; of equal ones the higher, so that
    every node that stays has its parent."""
    if len(totals) <= count:
        return np.arange(len(totals))
    return np.sort(np.lexsort((depth, -totals))[:count])


def _renumbered(parents: NDArray[np.int32], kept: NDArray[np.intp]) -> NDArray[np.int32]:
    number = np.full(len(parents), -1, np.int32)
    number[kept] = np.arange(len(kept))
    result = number[parents[kept]]
    result[0] = -1
    return result


def _ranks(keys: Sequence[grouping.FunctionKey], function: NDArray[np.int32]) -> NDArray[np.int32]:
    """Each node's place in the alphabet of the functions that occur; 0 at the root."""
    rank = np.zeros(len(keys) + 1, np.int32)  # the last entry is the root's, at index -1
    used = np.unique(function[1:]).tolist()
    for place, number in enumerate(sorted(used, key=keys.__getitem__)):
        rank[number] = place
    return rank[function]


def _used(
    frames: Sequence[Frame], function_of: NDArray[np.int32], function: NDArray[np.int32]
) -> tuple[tuple[Frame, ...], NDArray[np.int32]]:
    """The first frame of each function in order of use, and each node's index into these."""
    _, first_frames = np.unique(function_of, return_index=True)
    numbers: dict[int, int] = {}
    column = [numbers.setdefault(number, len(numbers)) for number in function[1:].tolist()]
    chosen = tuple(frames[first_frames[number]] for number in numbers)
    return chosen, np.array([-1, *column], np.int32)
