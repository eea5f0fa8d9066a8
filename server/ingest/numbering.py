"""Numbers what a stream has named in the logs of a scope."""

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from server.ingest.stream import ScopeNumbers, Stream
from server.store.symbols import SymbolWriter


def learn(
    transaction: sa.Connection,
    stream: Stream,
    known: ScopeNumbers,
    symbols: SymbolWriter,
    paths: NDArray[np.uint32],
) -> None:
    """Numbers `paths`, nodes of the stream from top to bottom, in the scope's logs."""
    entries = np.union1d(stream.parents[paths], paths)
    numbers = stream.look_up(known, entries)
    new = numbers < 0  # these are `paths`
    frames = np.zeros(len(entries), np.int32)
    frames[new] = _frames(transaction, stream, known, symbols, stream.node_frames[paths])
    found = symbols.number_nodes(
        transaction,
        numbers.tolist(),
        np.searchsorted(entries, stream.parents[entries]).tolist(),
        frames.tolist(),
    )
    stream.learn(known, paths, np.array(found, np.int32)[new])


def _frames(
    transaction: sa.Connection,
    stream: Stream,
    known: ScopeNumbers,
    symbols: SymbolWriter,
    frames: NDArray[np.uint32],
) -> NDArray[np.int32]:
    """The numbers of the stream's `frames` in the scope's log."""
    used = np.unique(frames)
    new = used[known.frames.look_up(used) < 0]
    if len(new):
        known.frames.learn(new, symbols.number_frames(transaction, stream.frames(new)))
    return known.frames.look_up(frames)
