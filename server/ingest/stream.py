"""What one stream has numbered, and which numbers its nodes have in the scopes.

A stream's frames and nodes are looked up in a scope's logs once, when they are first used there.
From then on whole columns of them are translated. A stack is of one process, so nearly every node
is used in one scope alone: its number stands in a column of the stream, where it is found in two
nanoseconds, with the scope that it belongs to. Nodes of other scopes too have `Numbers` there.
"""

from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from profiler.errors import FormatError
from profiler.model import ROOT
from profiler.wire import Additions, StreamDecoder
from server.store.codec import FrameRow

MAX_DEPTH = 4096
"""Frames in a stack. The kernel records 127, runtimes with deep recursion some thousand; work on
trees is done level by level, so the deepest stack bounds it."""

_SCOPE_BYTES = 750
"""What a scope takes beside its numbers; a stream may name hundreds of thousands."""

_STRING_BYTES = 64

_SENTINEL = 0xFFFFFFFF
_NOBODYS = -1

_FRAME_COLUMNS = {
    "frame_function": np.uint32,
    "frame_file": np.uint32,
    "frame_line": np.uint32,
    "frame_binary": np.uint32,
    "frame_build_id": np.uint32,
    "frame_address": np.uint64,
    "frame_kind": np.uint8,
    "frame_inlined": np.uint8,
}


class Numbers:
    """Some numbers of a stream, ascending, and which numbers they have in a scope."""

    def __init__(self) -> None:
        # The sentinel is larger than any number, so that every search ends at an entry.
        self._known = np.array([_SENTINEL], np.uint32)
        self._numbers = np.array([-1], np.int32)

    @property
    def known(self) -> NDArray[np.uint32]:
        return self._known[:-1]

    @property
    def bytes(self) -> int:
        return self._known.nbytes + self._numbers.nbytes

    def look_up(self, wanted: NDArray[np.uint32]) -> NDArray[np.int32]:
        """The number of each in the scope, -1 where it is not known."""
        at = np.searchsorted(self._known, wanted)
        return np.where(self._known[at] == wanted, self._numbers[at], np.int32(-1))

    def learn(self, new: NDArray[np.uint32], numbers: Sequence[int] | NDArray[np.int32]) -> None:
        """Adds some that are not yet known, ascending."""
        at = np.searchsorted(self._known, new)
        self._known = np.insert(self._known, at, new)
        self._numbers = np.insert(self._numbers, at, np.array(numbers, np.int32))


class ScopeNumbers:
    """Which numbers the frames and nodes of a stream have in one epoch of a scope: `key` is the
    stream's own name for it, `nodes` has those that the stream's columns have for another."""

    def __init__(self, epoch: int, key: int) -> None:
        self.epoch = epoch
        self.key = key
        self.frames = Numbers()
        self.nodes = Numbers()
        self.nodes.learn(np.array([ROOT], np.uint32), [ROOT])

    @property
    def bytes(self) -> int:
        return self.frames.bytes + self.nodes.bytes


class Stream:
    """The state of one stream. When storing a batch of it fails, the stream must end."""

    def __init__(self) -> None:
        self.decoder = StreamDecoder()
        self.parents = np.array([ROOT], np.uint32)
        self.node_frames = np.array([0], np.uint32)  # the root's is never asked for
        self._depths = np.zeros(1, np.uint16)
        self._strings = [""]
        self._string_bytes = 0
        self._frames = {name: np.array([], dtype) for name, dtype in _FRAME_COLUMNS.items()}
        self._scopes: dict[str, ScopeNumbers] = {}
        self._keys = count()
        self._numbers = np.array([_NOBODYS], np.int64)  # key of the scope << 32 | number there
        self._marks = bytearray(1)  # for one walk; all zero between two

    @property
    def bytes(self) -> int:
        """About the memory that the stream holds."""
        columns: list[NDArray[Any]] = [self.parents, self.node_frames, self._depths, self._numbers]
        columns += self._frames.values()
        scopes = sum(_SCOPE_BYTES + known.bytes for known in self._scopes.values())
        texts = self._string_bytes + self.decoder.bytes
        return texts + sum(column.nbytes for column in columns) + len(self._marks) + scopes

    def extend(self, new: Additions) -> None:
        """Takes up what a batch adds; raises FormatError for a stack that is too deep."""
        self._strings += new.strings
        self._string_bytes += _STRING_BYTES * len(new.strings) + new.string_bytes
        if len(new.frame_kind):
            for name, column in self._frames.items():
                self._frames[name] = np.concatenate([column, getattr(new, name)])
        if len(new.node_parent):
            self._measure(new)
            self.parents = np.concatenate([self.parents, new.node_parent])
            self.node_frames = np.concatenate([self.node_frames, new.node_frame])
            nothing = np.full(len(new.node_parent), _NOBODYS, np.int64)
            self._numbers = np.concatenate([self._numbers, nothing])
            self._marks += bytes(len(nothing))

    def _measure(self, new: Additions) -> None:
        """Finds the depths of new nodes. What each is below, and how far, is looked up from what
        its ancestors have found: after k times, from 2**k levels above."""
        first = new.first_node
        above, steps = new.node_parent.astype(np.int64), np.ones(len(new.node_parent), np.int64)
        while len(inside := np.flatnonzero(above >= first)):
            further = above[inside] - first
            steps[inside] += steps[further]
            above[inside] = above[further]
        depths = self._depths[above] + steps
        if depths.max() > MAX_DEPTH:
            raise FormatError(
                f"additions.node_parent: the stack of node {first + int(depths.argmax())} has "
                f"more than {MAX_DEPTH} frames"
            )
        self._depths = np.concatenate([self._depths, depths.astype(np.uint16)])

    def scope(self, service: str, epoch: int) -> ScopeNumbers:
        """What is known of the stream in the scope's present epoch."""
        known = self._scopes.get(service)
        if known is None or known.epoch != epoch:
            self.forget(service)
            known = self._scopes[service] = ScopeNumbers(epoch, next(self._keys))
        return known

    def forget(self, service: str) -> None:
        """Its numbers in a scope are no more."""
        known = self._scopes.pop(service, None)
        if known is not None:
            self._numbers[self._numbers >> 32 == known.key] = _NOBODYS

    def look_up(self, known: ScopeNumbers, nodes: NDArray[np.uint32]) -> NDArray[np.int32]:
        """The number of each in the scope, -1 where it is not known."""
        found = self._numbers[nodes]
        mine = found >> 32 == known.key
        numbers = found.astype(np.int32)  # the lower half
        if not mine.all():
            others = np.flatnonzero(~mine)
            numbers[others] = known.nodes.look_up(nodes[others])
        return numbers

    def learn(
        self, known: ScopeNumbers, nodes: NDArray[np.uint32], numbers: NDArray[np.int32]
    ) -> None:
        """Adds the numbers in the scope of some nodes that are not yet known, ascending."""
        free = self._numbers[nodes] == _NOBODYS
        self._numbers[nodes[free]] = known.key << 32 | numbers[free].astype(np.int64)
        known.nodes.learn(nodes[~free], numbers[~free])

    def unknown_paths(self, known: ScopeNumbers, leaves: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """The nodes from `leaves` up that are not known in the scope, ascending."""
        marks, numbers, parents = self._marks, self._numbers.data, self.parents.data
        seen, key = known.nodes.known.tolist(), known.key  # with the root
        for node in seen:
            marks[node] = 1
        found = []
        for node in leaves.tolist():
            while not marks[node] and numbers[node] >> 32 != key:
                marks[node] = 1
                found.append(node)
                node = parents[node]
        for node in (*seen, *found):  # and not all of them: a stream may have millions
            marks[node] = 0
        return np.sort(np.array(found, np.uint32))

    def frames(self, numbers: NDArray[np.uint32]) -> list[FrameRow]:
        """The frames of these numbers."""
        function, file, line, binary, build_id, address, kind, inlined = (
            self._frames[name][numbers].tolist() for name in _FRAME_COLUMNS
        )
        text = self._strings.__getitem__
        return list(
            zip(
                map(text, function),
                map(text, file),
                line,
                map(text, binary),
                map(text, build_id),
                address,
                kind,
                inlined,
                strict=True,
            )
        )
