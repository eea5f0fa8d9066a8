"""The symbol logs: the frames and the prefix tree of stacks of a scope's epoch, append-only.

A node is (parent, frame); its number is its place in the log, from 1 (0 is the root, which no log
holds). The path is the identity, so no hash can corrupt a result. Several servers append to one
log: a writer that has read the log up to the number m inserts what it needs at `first_id = m`.
Where another one was faster, the key is taken and nothing is inserted; then the writer reads the
new tail and tries again with what is still missing. So a log has neither gaps nor doubles, and a
parent is smaller than its children.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from profiler.model import Frame, Kind
from server.store import codec
from server.store.blob import DamagedError
from server.store.bounded import BoundedCache
from server.store.codec import FrameRow
from server.store.database import insert_new
from server.store.schema import frame_log, node_log

CACHED_NODES = 2 << 20
"""What a writer and a reader remember of all scopes together: about 250 MB in a writer's
dictionaries, a tenth of that in a reader's columns."""


class SymbolWriter:
    """Numbers frames and nodes in the logs of one epoch of a scope, and remembers them all.

    If a transaction in which it numbered something is rolled back, throw it away: it remembers
    numbers that are no more. Not for several threads at once.
    """

    def __init__(self, scope_id: int, epoch: int) -> None:
        self._scope_id = scope_id
        self._epoch = epoch
        self._frames: dict[FrameRow, int] = {}
        self._nodes: dict[int, int] = {}  # parent << 32 | frame: the node

    @property
    def nodes(self) -> int:
        return len(self._nodes)

    @property
    def weight(self) -> int:
        """Memory in nodes; a frame takes about as much as four."""
        return len(self._nodes) + 4 * len(self._frames)

    def load(self, transaction: sa.Connection) -> None:
        """Reads what the logs hold and this writer has not yet seen."""
        self._load_frames(transaction)
        self._load_nodes(transaction)

    def number_frames(self, transaction: sa.Connection, frames: Sequence[FrameRow]) -> list[int]:
        """The numbers of `frames`, from 0; appends those that the log does not have."""
        known = self._frames
        while None in (numbers := list(map(known.get, frames))):
            missing = list(dict.fromkeys(frame for frame in frames if frame not in known))
            first, blob = len(known), codec.encode_frames(missing)
            if self._append(transaction, frame_log, first, len(missing), blob):
                known.update(zip(missing, range(first, first + len(missing)), strict=True))
            else:
                self._load_frames(transaction)
        return cast(list[int], numbers)

    def number_nodes(
        self,
        transaction: sa.Connection,
        known: Sequence[int],
        parents: Sequence[int],
        frames: Sequence[int],
    ) -> list[int]:
        """The numbers of nodes, one entry each; appends those that the log does not have.

        `known` is the node's number, or -1 where that is the question; `parents` the entry of
        the parent, which stands before its children; `frames` a number of `number_frames`.
        """
        while True:
            numbers, new = self._resolve(known, parents, frames)
            if not new:
                return numbers
            first, keys = len(self._nodes) + 1, np.array(new, np.int64)
            blob = codec.encode_nodes(keys >> 32, keys & 0xFFFFFFFF, first)
            if self._append(transaction, node_log, first, len(new), blob):
                self._nodes.update(zip(new, range(first, first + len(new)), strict=True))
                return numbers
            self._load_nodes(transaction)

    def _resolve(
        self, known: Sequence[int], parents: Sequence[int], frames: Sequence[int]
    ) -> tuple[list[int], list[int]]:
        """The numbers as they are once the log holds the second list, (parent << 32 | frame)."""
        numbers = list(known)
        new: dict[int, int] = {}
        found, first = self._nodes.get, len(self._nodes) + 1
        for entry, (number, parent, frame) in enumerate(zip(known, parents, frames, strict=True)):
            if number < 0:
                key = numbers[parent] << 32 | frame
                numbers[entry] = found(key) or new.setdefault(key, first + len(new))
        return numbers, list(new)

    def _append(
        self, transaction: sa.Connection, log: sa.Table, first: int, n: int, blob: bytes
    ) -> bool:
        key = {"scope_id": self._scope_id, "epoch": self._epoch, "first_id": first}
        return insert_new(transaction, log, **key, n=n, blob=blob)

    def _load_frames(self, transaction: sa.Connection) -> None:
        for first, blob in _tail(
            transaction, frame_log, self._scope_id, self._epoch, len(self._frames)
        ):
            frames = codec.decode_frames(blob)
            self._frames.update(zip(frames, range(first, first + len(frames)), strict=True))

    def _load_nodes(self, transaction: sa.Connection) -> None:
        for first, blob in _tail(
            transaction, node_log, self._scope_id, self._epoch, len(self._nodes) + 1
        ):
            parents, frames = codec.decode_nodes(blob, first)
            keys = (parents << 32 | frames).tolist()
            self._nodes.update(zip(keys, range(first, first + len(keys)), strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class SymbolTree:
    """The logs of an epoch as columns: node 0 is the root, whose parent and frame are -1."""

    parents: NDArray[np.int32]
    node_frames: NDArray[np.int32]
    frames: tuple[Frame, ...]


_EMPTY = SymbolTree(np.array([-1], np.int32), np.array([-1], np.int32), ())


class SymbolReader:
    """Reads logs as trees; reads only the tail of a log that it remembers. For any threads."""

    def __init__(self, cached_nodes: int = CACHED_NODES) -> None:
        self._trees = BoundedCache[tuple[int, int], SymbolTree](cached_nodes, _weight)

    @property
    def cached_nodes(self) -> int:
        return self._trees.weight

    def tree(self, transaction: sa.Connection, scope_id: int, epoch: int) -> SymbolTree:
        """At least what the transaction can see; more, where another one has seen more."""
        old = self._trees.get((scope_id, epoch)) or _EMPTY
        parents, node_frames = [old.parents], [old.node_frames]
        for first, blob in _tail(transaction, node_log, scope_id, epoch, len(old.parents)):
            segment = codec.decode_nodes(blob, first)
            parents.append(segment[0].astype(np.int32))
            node_frames.append(segment[1].astype(np.int32))
        if len(parents) == 1:
            return old
        frames = list(old.frames)
        for _, blob in _tail(transaction, frame_log, scope_id, epoch, len(frames)):
            frames += map(_frame, codec.decode_frames(blob))
        tree = SymbolTree(np.concatenate(parents), np.concatenate(node_frames), tuple(frames))
        self._trees.put((scope_id, epoch), tree)
        return tree


def _frame(row: FrameRow) -> Frame:
    function, file, line, binary, build_id, address, kind, inlined = row
    return Frame(function, file, line, binary, build_id, address, Kind(kind), bool(inlined))


def _weight(tree: SymbolTree) -> int:
    return len(tree.parents) + 4 * len(tree.frames)


def _tail(
    transaction: sa.Connection, log: sa.Table, scope_id: int, epoch: int, first: int
) -> Iterator[tuple[int, bytes]]:
    """The segments of a log from number `first` on, as (first number, blob)."""
    wanted = (
        sa.select(log.c.first_id, log.c.n, log.c.blob)
        .where(log.c.scope_id == scope_id, log.c.epoch == epoch, log.c.first_id >= first)
        .order_by(log.c.first_id)
    )
    for first_id, n, blob in transaction.execute(wanted):
        if first_id != first:
            raise DamagedError(
                f"{log.name} of scope {scope_id}, epoch {epoch}: nothing stands at {first}, "
                f"the next segment at {first_id}: restore the database from a backup"
            )
        yield first_id, blob
        first += n
