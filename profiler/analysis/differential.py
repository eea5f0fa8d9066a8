"""Two sides as one flamegraph, in which what was added, is gone, grew and shrank is all to be seen.

A node is as wide as its parts of both sides together, so that what stands on one side alone is
half as wide as it is there. Whether a node differs is told as `diff` does of functions, of all
nodes that are drawn: false ones are held to a part of those that are said to differ.

>>> from profiler.analysis import union
>>> from profiler.formats import folded
>>> before = [folded.loads(b"main;f %d\\nmain;g 100\\n" % n) for n in (98, 102, 100)]
>>> after = [folded.loads(b"main;f %d\\nmain;h 100\\n" % n) for n in (99, 101, 100)]
>>> graph = draw(union.of(before, after))
>>> [(graph.keys[key][0], str(CHANGES[change])) for key, change in
...  zip(graph.key[1:].tolist(), graph.change[1:].tolist(), strict=True)]
[('main', 'noise'), ('f', 'noise'), ('g', 'vanished'), ('h', 'new')]
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from profiler.analysis import diff
from profiler.analysis.counts import Counts
from profiler.analysis.diff import Change
from profiler.analysis.flamegraph import MAX_NODES, by_total
from profiler.analysis.gate import Terms, denominator
from profiler.analysis.grouping import FunctionKey
from profiler.analysis.shape import below, between, numbered
from profiler.analysis.union import Union
from profiler.errors import UsageError
from profiler.model import ROOT

CHANGES = diff.CHANGES
"""By the numbers of `DifferentialGraph.change`."""


@dataclass(frozen=True, slots=True, eq=False)
class DifferentialGraph:
    """Nodes in preorder, the widest sibling first, node 0 the root.

    Columns, one entry a node: `key` index into `keys` (-1 at the root), `depth`, `change` index
    into CHANGES; with a row a side, `totals` and `selves` in the unit of the type and `samples` of
    the total. `hidden_nodes` were cut off; the totals of their parents hold them.
    """

    keys: tuple[FunctionKey, ...]
    key: NDArray[np.int32]
    depth: NDArray[np.int32]
    change: NDArray[np.uint8]
    totals: NDArray[np.int64]
    selves: NDArray[np.int64]
    samples: NDArray[np.int64]
    hidden_nodes: int


def draw(
    union: Union,
    terms: Terms | None = None,
    max_nodes: int = MAX_NODES,
    moved: Collection[FunctionKey] = (),
) -> DifferentialGraph:
    """Draws at most `max_nodes` nodes, the widest; raises UsageError for less than one. Nodes that
    differ of functions that only `moved` have moved as well."""
    if max_nodes < 1:
        raise UsageError(f"max_nodes is at least 1, got {max_nodes}")
    terms = terms or Terms()
    totals = np.array([union.totals(side) for side in (0, 1)])
    wholes = [denominator(side, which, terms).sum() for which, side in enumerate(union.sides)]
    width = (totals / np.maximum(wholes, 1)[:, None]).sum(axis=0)
    chosen = _widest(width, max_nodes)
    nodes = np.flatnonzero(chosen)
    order = by_total(union.shape.only(chosen), width[nodes])
    samples = np.array([below(union.shape, column)[nodes] for column in union.self_samples])
    changes = _changes(union, nodes, samples, terms)[order]
    nodes, samples = nodes[order], samples.take(order, axis=1)
    used, number = numbered(union.shape.functions[nodes], len(union.keys))
    keys = tuple(map(union.keys.__getitem__, used.tolist()))
    still = np.array([function in moved for function in keys] + [False], bool)
    numbers = number[union.shape.functions[nodes]]
    changes[still[numbers] & (changes != CHANGES.index(Change.NOISE))] = CHANGES.index(Change.MOVED)
    return DifferentialGraph(
        keys,
        numbers,
        union.shape.depth[nodes],
        changes,
        totals.take(nodes, axis=1),
        union.selves.take(nodes, axis=1),
        samples,
        int(np.count_nonzero(width[1:])) + 1 - len(nodes),
    )


def _changes(
    union: Union, nodes: NDArray[np.intp], samples: NDArray[np.int64], terms: Terms
) -> NDArray[np.uint8]:
    """Each node as if it were a function."""
    found = np.full(len(nodes), CHANGES.index(Change.NOISE), np.uint8)
    enough = np.flatnonzero(samples.sum(axis=0) >= terms.min_samples)
    before, after = (_by_node(union, side, nodes[enough], samples[side, enough]) for side in (0, 1))
    diluted = diff.dilution(union.sides, terms)
    found[enough] = diff.costs((before, after), "total", slice(None), terms, diluted).change
    return found


def _by_node(
    union: Union, side: int, nodes: NDArray[np.intp], samples: NDArray[np.int64]
) -> Counts:
    totals = np.empty((union.sides[side].units, len(nodes)))
    for row, values in zip(totals, union.values(side), strict=True):
        row[:] = between(values, nodes, union.shape.end[nodes])
    counts = np.zeros(totals.shape)
    counts[:1] = samples  # only their sum is looked at
    return replace(union.sides[side], totals=totals, total_samples=counts)


def _widest(width: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
    """The widest nodes and the root. No node is wider than its parent; of nodes as wide as the last
    one, which may be each other's children, all stay or none."""
    chosen = width > 0
    if np.count_nonzero(chosen) > count:
        least = np.partition(width, -count)[-count]
        chosen = width >= least
        if np.count_nonzero(chosen) > count:
            chosen = width > least
    chosen[ROOT] = True
    return np.asarray(chosen, np.bool_)
