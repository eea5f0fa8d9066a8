"""Stacks that hold one function and not another.

>>> from profiler.analysis import forest
>>> from profiler.formats import folded
>>> trees = forest.of(folded.loads(b"main;lock;f 3\\nmain;lock;g 2\\nmain;f 1\\n"))
>>> containing(trees, lambda name: name == "lock", lambda name: name == "g").total
(0, 3)
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from profiler.analysis.forest import Forest, Tree
from profiler.model import Kind

Named = Callable[[str], bool]
"""Whether the function of a name is meant."""


def containing(trees: Forest, having: Named, lacking: Named | None = None) -> Forest:
    """The same trees with the samples of these stacks alone; threads are no functions."""
    meant = _flags(trees, having)
    unwanted = None if lacking is None else _flags(trees, lacking)
    return replace(trees, trees=tuple(_only(tree, meant, unwanted) for tree in trees.trees))


def _flags(trees: Forest, named: Named) -> NDArray[np.bool_]:
    """By number of a function; the root's, -1, is the last."""
    flags = np.zeros(len(trees.ranks) + 1, bool)
    for number in _used(trees):
        name, *_, kind = trees.keys[number]
        flags[number] = kind is not Kind.THREAD and named(name)
    return flags


def _used(trees: Forest) -> list[int]:
    """There may be millions of functions with numbers, and a few in these trees."""
    numbers: list[int] = np.unique(
        np.concatenate([tree.shape.functions[tree.held] for tree in trees.trees])
    ).tolist()
    return [number for number in numbers if number >= 0]


def _only(tree: Tree, meant: NDArray[np.bool_], unwanted: NDArray[np.bool_] | None) -> Tree:
    chosen = _below(tree, meant)
    if unwanted is not None:
        chosen &= ~_below(tree, unwanted)
    return Tree.of(tree.shape, tree.self_values * chosen, tree.self_samples * chosen)


def _below(tree: Tree, flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether a node, or one above it, is of the functions."""
    starts = np.flatnonzero(flags[tree.shape.functions])
    edges = np.zeros(len(tree.shape) + 1, np.int32)
    edges[starts] += 1
    np.subtract.at(edges, tree.shape.end[starts], 1)
    below: NDArray[np.bool_] = np.cumsum(edges[:-1]) > 0
    return below
