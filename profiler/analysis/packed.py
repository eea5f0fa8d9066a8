"""A flamegraph on its way to a browser: columns as JSON, or with those of its nodes as bytes.

    length of the JSON, 4 bytes, little-endian | the JSON | columns, one after the other

A million nodes are 7.5 MB so and 24 MB as JSON alone; with gzip, 3.0 and 4.2 MB. A column is a run
of varints (LEB128: 7 bits a byte, the lowest first), an entry a node in preorder:

    up       by how much less deep it is than a child of the node before it; 0 at the root
    frame    0: the next frame that no node had; else how far back from that one
    samples  the total in samples
    extra    the total in `scale` units, less its samples; zigzag (0, -1, 1, -2 are 0, 1, 2, 3)
    unsent   what stands below it and was cut off, in `scale` units

A root has no frame and no entry there; `self` is what a total has beyond the children and `unsent`.
`server/web/src/lib/packed.ts` reads it.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from profiler.analysis.flamegraph import Flamegraph
from profiler.analysis.tree import Integers
from profiler.model import ROOT

MEDIA_TYPE = "application/vnd.profiler.flamegraph"

VERSION = 1
"""Of the form. Grows when a reader of the old form would misread the new one."""

_FRAME_COLUMNS = ("function", "file", "line", "binary", "build_id", "address", "kind")


def columns(graph: Flamegraph) -> dict[str, object]:
    """Everything, as lists and arrays."""
    nodes = {
        "depth": graph.depth,
        "frame": graph.frame,
        "self": graph.self_values,
        "total": graph.totals,
        "samples": graph.samples,
    }
    above, below = _around(graph)
    return above | {"nodes": nodes} | below


def pack(
    graph: Flamegraph, more: Mapping[str, object], dumps: Callable[[object], bytes] | None = None
) -> bytes:
    """Everything, and `more` in its JSON, which `dumps` writes."""
    scale = max(1, int(np.gcd(np.gcd.reduce(graph.totals), np.gcd.reduce(graph.self_values))))
    packed = {
        "up": varints(_up(graph.depth)),
        "frame": varints(_back(graph.frame[1:])),
        "samples": varints(graph.samples),
        "extra": varints(_zigzag(graph.totals // scale - graph.samples)),
        "unsent": varints(graph.unsent // scale),
    }
    bytes_of = {name: len(column) for name, column in packed.items()}
    above, below = _around(graph)
    nodes = {"count": len(graph.depth), "scale": scale, "bytes": bytes_of}
    text = (dumps or _dumps)(above | {"nodes": nodes} | below | dict(more))
    return b"".join([len(text).to_bytes(4, "little"), text, *packed.values()])


def _around(graph: Flamegraph) -> tuple[dict[str, object], dict[str, object]]:
    """What stands before the nodes, and after them."""
    frames = graph.table.columns(graph.functions)
    above = {
        "version": VERSION,
        "profile_type": graph.type.name,
        "unit": graph.type.unit,
        "frames": {name: getattr(frames, name) for name in _FRAME_COLUMNS},
        "strings": frames.strings,
    }
    return above, {
        "hidden": {"nodes": graph.hidden_nodes},
        "total": {"value": graph.totals[ROOT], "samples": graph.samples[ROOT]},
    }


def _dumps(body: object) -> bytes:
    def listed(column: Any) -> Any:
        return column.tolist()

    return json.dumps(body, default=listed, separators=(",", ":")).encode()


def _up(depth: Integers) -> Integers:
    return np.concatenate([np.zeros(1, np.int64), depth[:-1] + 1 - depth[1:]])


def _back(frame: Integers) -> Integers:
    """Frames are numbered in the order of their first use, so that most are near the last one."""
    following = np.concatenate([np.zeros(1, np.int64), np.maximum.accumulate(frame) + 1])[:-1]
    back: Integers = following[: len(frame)] - frame
    return back


def _zigzag(column: Integers) -> Integers:
    return (column << 1) ^ (column >> 63)


def varints(column: Integers) -> bytes:
    """Of numbers from 0 to 2^64 - 1."""
    rest = column.astype(np.uint64)
    sizes = np.ones(len(rest), np.int64)
    for bits in range(7, 64, 7):
        longer = rest >> np.uint64(bits) != 0
        if not longer.any():
            break
        sizes += longer
    starts = np.cumsum(sizes) - sizes
    written: NDArray[np.uint8] = np.zeros(int(sizes.sum()), np.uint8)
    for place in range(int(sizes.max(initial=0))):
        (long,) = np.nonzero(sizes > place)
        seven = rest[long] >> np.uint64(7 * place) & np.uint64(127)
        more = np.where(sizes[long] > place + 1, 128, 0)
        written[starts[long] + place] = seven.astype(np.int64) | more
    return written.tobytes()
