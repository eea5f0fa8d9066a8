"""The flamegraph of a difference as SVG: what differs by more than noise has a colour.

    <g><title>parse: 38.7 % -> 43.5 %, +4.8 pp (+12 %), grown</title><rect …/><text>parse</text></g>

Red grew or is new, blue shrank or vanished, yellow moved, grey is noise. A frame is as wide as its
parts of both sides together, so that what vanished is seen too.
"""

from collections.abc import Iterator
from html import escape

import numpy as np

from profiler.analysis import differential
from profiler.analysis.diff import Change
from profiler.analysis.differential import CHANGES, DifferentialGraph
from profiler.analysis.gate import Terms
from profiler.analysis.union import Union

WIDTH = 1200
ROW = 18
TOP = 24
"""For the line that says which side is which."""
LETTER = 7.0
"""The width of a letter, about."""
LEAST = 0.5
"""Narrower frames are not drawn: a picture has no finer points."""

COLOURS = {
    Change.NEW: "#d7301f",
    Change.GROWN: "#f4a582",
    Change.SHRUNK: "#92c5de",
    Change.VANISHED: "#2166ac",
    Change.MOVED: "#fee08b",
    Change.NOISE: "#e0e0e0",
}

_UNWRITABLE = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), 127, 0xFFFE, 0xFFFF)}
_UNWRITABLE |= {code: "\N{REPLACEMENT CHARACTER}" for code in range(0xD800, 0xE000)}


def dumps(union: Union, terms: Terms, baseline: str, candidate: str) -> bytes:
    """The picture of all nodes that are wide enough to be seen."""
    graph = differential.draw(union, Terms(alpha=terms.alpha))
    boxes = list(_boxes(graph))
    height = TOP + ROW * (int(graph.depth.max(initial=0)) + 1)
    legend = ", ".join(f"{colour} {change}" for change, colour in _LEGEND.items())
    head = f"{baseline} -> {candidate}: {legend}"
    rows = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        ' font-family="monospace" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="4" y="16">{_text(head)}</text>',
        *boxes,
        "</svg>\n",
    ]
    return "\n".join(rows).encode()


_LEGEND = {
    Change.GROWN: "red",
    Change.SHRUNK: "blue",
    Change.MOVED: "yellow",
    Change.NOISE: "grey",
}


def _boxes(graph: DifferentialGraph) -> Iterator[str]:
    parts = graph.totals / np.maximum(graph.totals[:, :1], 1)
    width = parts.sum(axis=0) * (WIDTH / max(float(parts[:, 0].sum()), 1e-9))
    columns = (graph.depth, graph.key, graph.change, width, *parts)
    # Where the next child of each depth begins: nodes stand in preorder.
    next_at = [0.0] * (int(graph.depth.max(initial=0)) + 2)
    for depth, key, change, wide, before, after in zip(
        *(column.tolist() for column in columns), strict=True
    ):
        x = next_at[depth]
        next_at[depth], next_at[depth + 1] = x + wide, x
        if wide >= LEAST:
            name = graph.keys[key][0] if key >= 0 else "all"
            yield _box(name, CHANGES[change], x, depth, wide, before, after)


def _box(
    name: str, change: Change, x: float, depth: int, wide: float, before: float, after: float
) -> str:
    relative = f"{100 * (after / before - 1):+.0f} %" if before else "new"
    said = (
        f"{name}: {100 * before:.2f} % -> {100 * after:.2f} %,"
        f" {100 * (after - before):+.2f} pp ({relative}), {change}"
    )
    y = TOP + ROW * depth
    letters = int((wide - 4) / LETTER)
    label = name if len(name) <= letters else name[: letters - 1] + "…" if letters > 2 else ""
    return (
        f"<g><title>{_text(said)}</title>"
        f'<rect x="{x:.1f}" y="{y}" width="{max(wide - 0.5, 0.3):.1f}" height="{ROW - 1}"'
        f' fill="{COLOURS[change]}"/>'
        f'<text x="{x + 3:.1f}" y="{y + 13}" pointer-events="none">{_text(label)}</text></g>'
    )


def _text(text: str) -> str:
    return escape(text.translate(_UNWRITABLE))
