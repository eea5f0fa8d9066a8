"""Profiles and trees side by side, each below a frame that says which it is: a service, a host.

>>> from profiler.formats import folded
>>> a, b = folded.loads(b"main;f 3\\n"), folded.loads(b"main;f 1\\n")
>>> folded.dumps(profiles([(root("a"), a), (root("b"), b)]))
b'a;main;f 3\\nb;main;f 1\\n'
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from profiler.analysis import tree
from profiler.analysis.forest import Forest, Tree
from profiler.analysis.frames import FrameTable
from profiler.analysis.grouping import by_function
from profiler.analysis.shape import alphabet, shape
from profiler.analysis.tree import Column
from profiler.model import ROOT, Frame, Kind, Profile


def root(name: str) -> Frame:
    """As little a function as a thread is, which else begins a stack."""
    return Frame(name, kind=Kind.THREAD)


def profiles(parts: Sequence[tuple[Frame, Profile]]) -> Profile:
    """At least one."""
    return tree.merge(
        replace(
            part,
            frames=(*part.frames, frame),
            parents=_parents(part.parents),
            node_frames=_below(part.node_frames, len(part.frames)),
            samples=_own(part.samples),
            values=_own(part.values),
        )
        for frame, part in parts
    )


def forests(parts: Sequence[tuple[Frame, Forest]]) -> Forest:
    """At least one; of one profile type."""
    used = [np.unique(np.concatenate([t.shape.functions for t in f.trees]))[1:] for _, f in parts]
    frames: list[Frame] = []
    for (frame, part), numbers in zip(parts, used, strict=True):
        frames += [frame, *(part.frames[number] for number in numbers.tolist())]
    keys, functions = by_function(frames)
    ranks = alphabet(keys)
    trees, first = [], 0
    for (_, part), numbers in zip(parts, used, strict=True):
        number = np.full(len(part.ranks) + 1, -1, np.int32)
        number[numbers] = functions[first + 1 : first + 1 + len(numbers)]
        for one in part.trees:
            below = _below(number[one.shape.functions], int(functions[first]))
            made, order = shape(_parents(one.shape.parents), below, ranks)
            values, samples = _own(one.self_values)[order], _own(one.self_samples)[order]
            trees.append(Tree.of(made, values, samples))
        first += 1 + len(numbers)
    _, shown = np.unique(functions, return_index=True)
    table = FrameTable(frames[number] for number in shown.tolist())
    return Forest(tuple(trees), keys, ranks, table, parts[0][1].type)


def _parents(parents: NDArray[np.int32]) -> NDArray[np.int32]:
    """The root's place is taken by the frame, and the root stands above."""
    return np.concatenate([np.array([-1, ROOT], np.int32), parents[1:] + np.int32(1)])


def _below(frames: NDArray[np.int32], frame: int) -> NDArray[np.int32]:
    return np.concatenate([np.array([-1, frame], np.int32), frames[1:]])


def _own(column: Column) -> Column:
    return np.concatenate([np.zeros(1, np.int64), column])
