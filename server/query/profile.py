"""The samples of a selection as one profile: for exports, which want every frame."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from profiler.analysis import tree
from profiler.model import ROOT, Labels, Profile, ProfileBuilder, ProfileType
from server.query.selection import Selection
from server.store.catalog import Series
from server.store.sums import add_up
from server.store.symbols import SymbolReader, SymbolTree


def merged_profile(
    transaction: sa.Connection, symbols: SymbolReader, selection: Selection
) -> Profile:
    """All samples of the selection; its window is the range, its labels those that all share."""
    type, within = selection.type, selection.within
    sums = add_up(transaction, selection.groups, selection.kept)
    parts = []
    for log, columns in sums.columns.items():
        found = symbols.tree(transaction, *log)
        parts.append(_profile(found, *columns.of(log, len(found.parents)), type))
    return replace(
        _merged(parts, type),
        period=sums.period,
        start_ns=within.from_ns,
        duration_ns=within.to_ns - within.from_ns,
        labels=_shared_labels(selection.series),
    )


def _merged(parts: list[Profile], type: ProfileType) -> Profile:
    if not parts:
        return ProfileBuilder().build(type)
    return parts[0] if len(parts) == 1 else tree.merge(parts)


def _profile(
    log: SymbolTree, samples: NDArray[np.int64], values: NDArray[np.int64], type: ProfileType
) -> Profile:
    """What has samples, and what stands above it."""
    nodes = _kept(log.parents, (samples | values) != 0)
    number = np.zeros(len(log.parents), np.int32)
    number[nodes] = np.arange(len(nodes))
    parents = number[log.parents[nodes]]
    parents[ROOT] = -1
    used, node_frames = np.unique(log.node_frames[nodes[1:]], return_inverse=True)
    return Profile(
        frames=tuple(log.frames[frame] for frame in used.tolist()),
        parents=parents,
        node_frames=np.concatenate([[-1], node_frames]).astype(np.int32),
        samples=samples[nodes],
        values=values[nodes],
        type=type,
    )


def _kept(parents: NDArray[np.int32], kept: NDArray[np.bool_]) -> NDArray[np.intp]:
    level = np.flatnonzero(kept)
    kept[ROOT] = True
    while len(level):
        above = np.maximum(parents[level], ROOT)
        level = np.unique(above[~kept[above]])
        kept[level] = True
    return np.flatnonzero(kept)


def _shared_labels(series: Sequence[Series]) -> Labels:
    """The labels that are the same in all series."""
    if not series:
        return ()
    shared = set(series[0].labels.items())
    return tuple(sorted(shared.intersection(*(one.labels.items() for one in series[1:]))))
