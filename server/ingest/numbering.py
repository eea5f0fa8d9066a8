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
    frames = _frames(transaction, stream, known, symbols, stream.node_frames[paths])
    parents = stream.parents[paths]
    above = stream.look_up(known, parents)
    old = above >= 0  # the others are among `paths`
    n_old = np.count_nonzero(old)
    places = np.where(old, np.cumsum(old) - 1, n_old + np.searchsorted(paths, parents))
    found = symbols.number_nodes(
        transaction,
        [*above[old].tolist(), *[-1] * len(paths)],
        [*[0] * n_old, *places.tolist()],
        [*[0] * n_old, *frames.tolist()],
    )
    stream.learn(known, paths, np.array(found[n_old:], np.int32))


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
