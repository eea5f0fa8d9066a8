"""Nodes by the names of their paths: fourteen characters, the same for a stack in every profile.

The page has them in its URL and computes them itself (`server/web/src/lib/path.ts`), so a link to
a node stays good when the data under it grows, and the server finds the node that is meant. A name
is two numbers of 32 bits in base 36. Of a million nodes, two share one once in 37 million profiles.

>>> from profiler.analysis import forest
>>> from profiler.formats import folded
>>> trees = forest.of(folded.loads(b"main;f 3\\nmain;g 1\\n"))
>>> name_of(trees, ["main", "g"])
'0eni16a1wr0zj0'
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from profiler.analysis.forest import Forest, Tree
from profiler.analysis.frames import SEEDS, Hashes
from profiler.analysis.shape import Shape
from profiler.errors import UsageError
from profiler.model import ROOT

_NAME = re.compile(r"[0-9a-z]{14}")
_HALF = 7
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"

Names = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Part:
    """The trees with one node's subtree and the way to it alone, whose sums stay what they are;
    `depth` is the node's."""

    trees: Forest
    depth: int


def part(trees: Forest, name: str) -> Part | None:
    """Of the node of that name; None where no tree has it."""
    goal = parsed(name)
    names = [names_of(tree.shape, trees.frames.hashes) for tree in trees.trees]
    way = _way(trees.trees, names, goal)
    if way is None:
        return None
    made = (_part(tree, of, way, goal) for tree, of in zip(trees.trees, names, strict=True))
    return Part(replace(trees, trees=tuple(made)), len(way) - 1)


def parsed(name: str) -> int:
    """Both halves as one number; raises UsageError."""
    halves = (
        [int(half, 36) for half in (name[:_HALF], name[_HALF:])] if _NAME.fullmatch(name) else []
    )
    if not halves or max(halves) >= 1 << 32:
        raise UsageError(f"{name[:64]!r} is no name of a path, such as '0eni16a1wr0zj0'")
    return halves[0] << 32 | halves[1]


def written(name: int) -> str:
    return "".join(_in_base_36(half) for half in divmod(name, 1 << 32))


def _in_base_36(number: int) -> str:
    text = ""
    for _ in range(_HALF):
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text


def name_of(trees: Forest, functions: Sequence[str]) -> str:
    """Of the first path of these functions, root first; "" where there is none."""
    for tree in trees.trees:
        at = np.array([ROOT])
        for function in functions:
            below = np.flatnonzero(np.isin(tree.shape.parents, at))
            meant = [trees.keys[n][0] == function for n in tree.shape.functions[below].tolist()]
            at = below[np.array(meant, bool)]
        if len(at):
            return written(int(names_of(tree.shape, trees.frames.hashes)[at[0]]))
    return ""


def names_of(shape: Shape, hashes: Hashes) -> Names:
    """The name of each node as one number; `hashes` are those of functions."""
    halves = np.empty((2, len(shape)), np.uint32)
    halves[:, ROOT] = SEEDS
    order = np.argsort(shape.depth.astype(np.int16), kind="stable")
    for row in np.split(order, np.cumsum(np.bincount(shape.depth))[:-1])[1:]:
        halves[:, row] = _mixed(halves[:, shape.parents[row]], hashes[:, shape.functions[row]])
    high, low = halves.astype(np.uint64)
    return high << np.uint64(32) | low


def _mixed(above: Hashes, function: Hashes) -> Hashes:
    """Of two paths that differ, and two functions, no half is likely to be the same."""
    mixed = (above ^ above >> np.uint32(15)) * np.uint32(0x2C1B3C6D) + function
    mixed = (mixed ^ mixed >> np.uint32(12)) * np.uint32(0x297A2D39)
    return mixed ^ mixed >> np.uint32(15)


def _way(trees: Sequence[Tree], names: Sequence[Names], goal: int) -> Names | None:
    """The names from the root to the node."""
    for tree, of in zip(trees, names, strict=True):
        for node in np.flatnonzero((of == np.uint64(goal)) & tree.held).tolist():
            nodes = [node]
            while nodes[-1] != ROOT:
                nodes.append(int(tree.shape.parents[nodes[-1]]))
            return of[nodes[::-1]]
    return None


def _part(tree: Tree, names: Names, way: Names, goal: int) -> Tree:
    chosen = np.isin(names, way)
    for node in np.flatnonzero(names == np.uint64(goal)).tolist():
        chosen[node : tree.shape.end[node]] = True
    return tree.only(chosen)
