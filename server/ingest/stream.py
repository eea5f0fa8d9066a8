"""What one stream has numbered, and which numbers its nodes have in the scopes.

A stream's frames and nodes are looked up in a scope's logs once, when they are first used there.
From then on `Numbers` translates whole columns of them.
"""

from array import array
from collections.abc import Sequence

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

_SENTINEL = 0xFFFFFFFF

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
    """Which numbers the frames and nodes of a stream have in one epoch of a scope."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
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
        self._depths = array("H", [0])
        self._strings = [""]
        self._string_bytes = 0
        self._frames = {name: np.array([], dtype) for name, dtype in _FRAME_COLUMNS.items()}
        self._scopes: dict[str, ScopeNumbers] = {}

    @property
    def bytes(self) -> int:
        """About the memory that the stream holds."""
        columns = [self.parents, self.node_frames, *self._frames.values()]
        scopes = sum(_SCOPE_BYTES + known.bytes for known in self._scopes.values())
        return self._string_bytes + sum(column.nbytes for column in columns) + scopes

    def extend(self, new: Additions) -> None:
        """Takes up what a batch adds; raises FormatError for a stack that is too deep."""
        self._strings += new.strings
        self._string_bytes += sum(64 + len(text) for text in new.strings)
        if len(new.frame_kind):
            for name, column in self._frames.items():
                self._frames[name] = np.concatenate([column, getattr(new, name)])
        if len(new.node_parent):
            self._measure(new)
            self.parents = np.concatenate([self.parents, new.node_parent])
            self.node_frames = np.concatenate([self.node_frames, new.node_frame])

    def _measure(self, new: Additions) -> None:
        depths = self._depths
        for number, parent in enumerate(new.node_parent.tolist(), new.first_node):
            depth = depths[parent] + 1
            if depth > MAX_DEPTH:
                raise FormatError(
                    f"additions.node_parent: the stack of node {number} has more than "
                    f"{MAX_DEPTH} frames"
                )
            depths.append(depth)

    def scope(self, service: str, epoch: int) -> ScopeNumbers:
        """What is known of the stream in the scope's present epoch."""
        known = self._scopes.get(service)
        if known is None or known.epoch != epoch:
            known = self._scopes[service] = ScopeNumbers(epoch)
        return known

    def unknown_paths(self, leaves: NDArray[np.uint32], nodes: Numbers) -> NDArray[np.uint32]:
        """The nodes from `leaves` up that `nodes` does not have, ascending."""
        seen = np.zeros(len(self.parents), np.uint8)
        seen[nodes.known] = 1  # the root is always known
        mark, parents = seen.data, self.parents.data
        found = []
        for node in leaves.tolist():
            while not mark[node]:
                mark[node] = 1
                found.append(node)
                node = parents[node]
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
