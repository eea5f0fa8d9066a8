"""The prefix tree of a log with its functions as nodes, kept from query to query.

Frames of one function, file, binary and kind are one function, with a number that means the same
in all trees. A log only grows, so a tree is extended by what is new and never made again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from profiler.analysis import grouping
from profiler.analysis.forest import rows
from profiler.analysis.grouping import FunctionKey
from profiler.analysis.tree import levels, sums
from profiler.model import ROOT, Frame
from server.query.sums import Log
from server.store.bounded import BoundedCache
from server.store.symbols import CACHED_NODES, SymbolReader, SymbolTree

_MOST_FUNCTIONS = 1 << 20
"""With numbers; beyond, all trees are forgotten and numbering begins again."""


@dataclass(frozen=True, slots=True, eq=False)
class FunctionTree:
    """Columns, one entry a node, node 0 the root (parent, function -1), parents first.

    `node_of` maps the nodes of the log; `outermost` are those that have no node of the same
    function above them.
    """

    node_of: NDArray[np.int32]
    parents: NDArray[np.int32]
    functions: NDArray[np.int32]
    depth: NDArray[np.int32]
    outermost: NDArray[np.bool_]
    function_of: NDArray[np.int32]
    """Of each frame of the log."""
    keys: NDArray[np.int64]
    """parent << 32 | function, ascending, and the node of each."""
    nodes: NDArray[np.int32]
    rows: list[NDArray[np.intp]]
    """The nodes of each depth, from [root] down."""

    def sums(self, column: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """A column of the log's nodes, by node alone and with everything below it."""
        alone = np.zeros(len(self.parents), np.int64)
        np.add.at(alone, self.node_of, column)
        return alone, sums(alone, self.parents, self.rows)


def _empty() -> FunctionTree:
    root, none = np.array([-1], np.int32), np.array([], np.int32)
    zero = np.zeros(1, np.int32)
    return FunctionTree(zero, root, root, zero, zero > 0, none, none.astype(np.int64), none, [])


@dataclass(slots=True)
class _Numbers:
    """Numbers of functions, and a frame that shows each."""

    numbers: dict[FunctionKey, int] = field(default_factory=dict)
    keys: list[FunctionKey] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)

    def number(self, frame: Frame) -> int:
        key = grouping.key(frame)
        number = self.numbers.setdefault(key, len(self.keys))
        if number == len(self.keys):
            self.keys.append(key)
            self.frames.append(frame)
        return number


class FunctionTrees:
    """Makes trees of logs. For any threads."""

    def __init__(self, symbols: SymbolReader, cached_nodes: int = CACHED_NODES) -> None:
        self._symbols = symbols
        self._cached_nodes = cached_nodes
        self._lock = Lock()
        self._forget()

    def _forget(self) -> None:
        self._trees = BoundedCache[Log, FunctionTree](self._cached_nodes, _weight)
        self._numbers = _Numbers()

    @property
    def cached_nodes(self) -> int:
        return self._trees.weight

    def of(
        self, transaction: sa.Connection, logs: Iterable[Log]
    ) -> tuple[list[FunctionTree], list[FunctionKey], list[Frame]]:
        """The tree of each log, at least as far as the transaction sees it; the functions, and
        the frames that show them."""
        read = [(log, self._symbols.tree(transaction, *log)) for log in logs]
        with self._lock:
            if len(self._numbers.frames) > _MOST_FUNCTIONS:
                self._forget()
            trees = [self._extended(log, symbols) for log, symbols in read]
            return trees, self._numbers.keys, self._numbers.frames

    def _extended(self, log: Log, symbols: SymbolTree) -> FunctionTree:
        tree = self._trees.get(log) or _empty()
        if len(tree.node_of) < len(symbols.parents):
            tree = self._extend(tree, symbols)
            self._trees.put(log, tree)
        return tree

    def _extend(self, tree: FunctionTree, symbols: SymbolTree) -> FunctionTree:
        new = [self._numbers.number(frame) for frame in symbols.frames[len(tree.function_of) :]]
        function_of = np.concatenate([tree.function_of, np.array(new, np.int32)])
        first, size = len(tree.node_of), len(tree.parents)
        node_of = np.concatenate([tree.node_of, np.zeros(len(symbols.parents) - first, np.int32)])
        keys, nodes = tree.keys, tree.nodes
        added = []
        for row in _rows(symbols.parents, first):
            above = node_of[symbols.parents[row]].astype(np.int64)
            wanted, index = np.unique(
                above << 32 | function_of[symbols.node_frames[row]], return_inverse=True
            )
            place = np.searchsorted(keys, wanted)
            known = keys[np.minimum(place, len(keys) - 1)] == wanted if len(keys) else place < 0
            numbers = np.empty(len(wanted), np.int32)
            numbers[known] = nodes[place[known]]
            numbers[~known] = size + np.arange(np.count_nonzero(~known))
            node_of[row] = numbers[index]
            added.append(wanted[~known])
            keys = np.insert(keys, place[~known], wanted[~known])
            nodes = np.insert(nodes, place[~known], numbers[~known])
            size += len(added[-1])
        pairs = np.concatenate(added)
        return _with(tree, pairs, node_of, function_of, keys, nodes)


def _with(
    tree: FunctionTree,
    pairs: NDArray[np.int64],
    node_of: NDArray[np.int32],
    function_of: NDArray[np.int32],
    keys: NDArray[np.int64],
    nodes: NDArray[np.int32],
) -> FunctionTree:
    """The tree with the nodes of `pairs` behind its own."""
    before = len(tree.parents)
    parents = np.concatenate([tree.parents, (pairs >> 32).astype(np.int32)])
    functions = np.concatenate([tree.functions, (pairs & 0xFFFFFFFF).astype(np.int32)])
    depth = np.concatenate([tree.depth, np.zeros(len(pairs), np.int32)])
    outermost = np.concatenate([tree.outermost, np.ones(len(pairs), bool)])
    climbing, above = np.arange(before, len(parents)), parents[before:]
    while len(climbing):
        depth[climbing] += 1
        outermost[climbing] &= functions[above] != functions[climbing]
        below_root = above != ROOT
        climbing, above = climbing[below_root], parents[above[below_root]]
    return FunctionTree(
        node_of, parents, functions, depth, outermost, function_of, keys, nodes, rows(depth)
    )


def _rows(parents: NDArray[np.int32], first: int) -> Iterable[NDArray[np.intp]]:
    """The nodes from `first` on, those whose parents are older before their children."""
    local = np.concatenate([[-1], np.maximum(parents[first:] - (first - 1), 0)])
    return [row + (first - 1) for row in levels(local)[1:]]


def _weight(tree: FunctionTree) -> int:
    return len(tree.node_of) + len(tree.parents)
