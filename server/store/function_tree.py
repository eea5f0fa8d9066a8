"""The prefix tree of a log with its functions as nodes, kept from query to query.

Frames of one function, file, binary and kind are one function, with a number that means the same
in all trees. A log only grows, so a tree is extended by what is new and never made again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from profiler.analysis import grouping
from profiler.analysis.forest import Forest, Tree
from profiler.analysis.frames import FrameTable
from profiler.analysis.grouping import FunctionKey
from profiler.analysis.shape import Shape, below, shape
from profiler.analysis.tree import depths
from profiler.model import Frame, ProfileType
from server.store.bounded import BoundedCache
from server.store.sums import Log, Sums
from server.store.symbols import CACHED_NODES, SymbolReader, SymbolTree

_MOST_FUNCTIONS = 1 << 20
"""With numbers; beyond, all trees are forgotten and numbering begins again."""


@dataclass(frozen=True, slots=True, eq=False)
class FunctionTree:
    """The tree in preorder, and what it takes to extend it: its nodes in the order in which they
    came, parents first, node 0 the root (parent, function -1)."""

    shape: Shape
    place_of: NDArray[np.intp]
    """Of each node of the log, in the shape."""
    node_of: NDArray[np.int32]
    """Of each node of the log, in the order of coming."""
    parents: NDArray[np.int32]
    functions: NDArray[np.int32]
    function_of: NDArray[np.int32]
    """Of each frame of the log."""
    keys: NDArray[np.int64]
    """parent << 32 | function, ascending, and the node of each."""
    nodes: NDArray[np.int32]

    def sums(self, samples: NDArray[np.int64], values: NDArray[np.int64], period: int) -> Tree:
        """Columns of the log's nodes, by node alone and with everything below it; `period` is the
        value of each sample, or 0."""
        alone = self.alone(samples)
        if not period:
            return Tree.of(self.shape, self.alone(values), alone)
        all_samples = below(self.shape, alone)
        return Tree(self.shape, alone * period, alone, all_samples * period, all_samples)

    def alone(self, column: NDArray[np.int64]) -> NDArray[np.int64]:
        """A column of the log's nodes, by node of the shape."""
        added = np.zeros(len(self.shape), np.int64)
        np.add.at(added, self.place_of, column)
        return added


_ROOT = np.full(1, -1, np.int32)
_ZERO = np.zeros(1, np.int32)
_NONE = np.zeros(0, np.int32)
_SHAPE = Shape(_ROOT, _ROOT, _ZERO, _ZERO + 1)

_EMPTY = FunctionTree(
    _SHAPE, np.zeros(1, np.intp), _ZERO, _ROOT, _ROOT, _NONE, np.zeros(0, np.int64), _NONE
)
_ROOT_ALONE = _EMPTY.sums(np.zeros(1, np.int64), np.zeros(1, np.int64), 0)


@dataclass(slots=True)
class _Numbers:
    """Numbers of functions, and a frame that shows each."""

    numbers: dict[FunctionKey, int] = field(default_factory=dict)
    keys: list[FunctionKey] = field(default_factory=list)
    frames: FrameTable = field(default_factory=FrameTable)
    alphabet: list[int] = field(default_factory=list)
    ranks: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))

    def of(self, frames: Iterable[Frame]) -> NDArray[np.int32]:
        """The number of each."""
        new: list[Frame] = []
        found: list[int] = []
        for frame in frames:
            key = grouping.key(frame)
            number = self.numbers.setdefault(key, len(self.keys))
            if number == len(self.keys):
                self.keys.append(key)
                new.append(frame)
            found.append(number)
        self.frames.extend(new)
        self._rank(range(len(self.alphabet), len(self.keys)))
        return np.array(found, np.int32)

    def _rank(self, new: range) -> None:
        """Sorting what is sorted but for its end costs a comparison a function."""
        if new:
            self.alphabet += sorted(new, key=self.keys.__getitem__)
            self.alphabet.sort(key=self.keys.__getitem__)
            self.ranks = np.empty(len(self.keys), np.int32)
            self.ranks[self.alphabet] = np.arange(len(self.keys), dtype=np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Trees, and by the numbers of their functions the keys, the places in the alphabet, and
    frames that show them. There may be more functions than `ranks` has."""

    trees: list[FunctionTree]
    keys: Sequence[FunctionKey]
    ranks: NDArray[np.int32]
    frames: FrameTable


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

    def of(self, transaction: sa.Connection, logs: Iterable[Log]) -> Found:
        """The tree of each log, at least as far as the transaction sees it."""
        read = [(log, self._symbols.tree(transaction, *log)) for log in logs]
        with self._lock:
            if len(self._numbers.frames) > _MOST_FUNCTIONS:
                self._forget()
            trees = [self._extended(log, symbols) for log, symbols in read]
            numbers = self._numbers
            return Found(trees, numbers.keys, numbers.ranks, numbers.frames)

    def forest(self, transaction: sa.Connection, sums: Sums, type: ProfileType) -> Forest:
        """Sums as trees of functions, one a log."""
        found = self.of(transaction, sums.columns)
        made = tuple(
            tree.sums(*columns.of(log, len(tree.node_of)), sums.period)
            for tree, (log, columns) in zip(found.trees, sums.columns.items(), strict=True)
        )
        return Forest(made or (_ROOT_ALONE,), found.keys, found.ranks, found.frames, type)

    def _extended(self, log: Log, symbols: SymbolTree) -> FunctionTree:
        tree = self._trees.get(log) or _EMPTY
        if len(tree.node_of) < len(symbols.parents):
            tree = self._extend(tree, symbols)
            self._trees.put(log, tree)
        return tree

    def _extend(self, tree: FunctionTree, symbols: SymbolTree) -> FunctionTree:
        new = self._numbers.of(symbols.frames[len(tree.function_of) :])
        function_of = np.concatenate([tree.function_of, new])
        first, size = len(tree.node_of), len(tree.parents)
        node_of = np.concatenate([tree.node_of, np.zeros(len(symbols.parents) - first, np.int32)])
        added = []
        for row in _rows(symbols.parents, first):
            above = node_of[symbols.parents[row]].astype(np.int64)
            wanted, index = np.unique(
                above << 32 | function_of[symbols.node_frames[row]], return_inverse=True
            )
            place = np.searchsorted(tree.keys, wanted)
            known = place < 0
            if len(tree.keys):
                known = tree.keys[np.minimum(place, len(tree.keys) - 1)] == wanted
            numbers = np.empty(len(wanted), np.int32)
            numbers[known] = tree.nodes[place[known]]
            numbers[~known] = size + np.arange(np.count_nonzero(~known))
            node_of[row] = numbers[index]
            added.append(wanted[~known])
            size += len(added[-1])
        pairs = np.concatenate(added)
        ascending = np.argsort(pairs)
        place = np.searchsorted(tree.keys, pairs[ascending])
        keys = np.insert(tree.keys, place, pairs[ascending])
        nodes = np.insert(tree.nodes, place, (len(tree.parents) + ascending).astype(np.int32))
        parents = np.concatenate([tree.parents, (pairs >> 32).astype(np.int32)])
        functions = np.concatenate([tree.functions, (pairs & 0xFFFFFFFF).astype(np.int32)])
        made, order = shape(parents, functions, self._numbers.ranks)
        place = np.empty(len(order), np.intp)
        place[order] = np.arange(len(order))
        return FunctionTree(
            made, place[node_of], node_of, parents, functions, function_of, keys, nodes
        )


def _rows(parents: NDArray[np.int32], first: int) -> Iterable[NDArray[np.intp]]:
    """The nodes from `first` on by their depth, parents before their children. Equal paths are as
    deep, so no two rows hold the same node of the tree."""
    depth = depths(parents)[first:]
    order = np.argsort(depth, kind="stable")
    return np.split(order + first, np.flatnonzero(np.diff(depth[order])) + 1)


def _weight(tree: FunctionTree) -> int:
    return len(tree.node_of) + len(tree.parents)
