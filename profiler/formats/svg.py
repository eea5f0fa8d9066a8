"""SVG: a picture of a flamegraph that opens anywhere, and that a browser can zoom and search.

    <g><title>main 40% 12 samples</title><rect class="native" …/><text …>main</text></g>

The frames are drawn here, for those who run no script. The script in the file draws them anew by
the page's own layout (`server/web/src/export/svg.ts`), from all nodes, which the file holds too.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from profiler.analysis import flamegraph
from profiler.analysis.flamegraph import Flamegraph
from profiler.formats import html
from profiler.model import ROOT, Profile

WIDTH = 1200
ROW = 18
TOP = 36
"""Of the first row: the title and the controls stand above."""
SIDE = 10
LETTER = 7.3
"""The width of a letter of 12 pixels' height, in any monospaced font at most."""
LEAST_PIXELS = 0.5
"""Narrower frames are drawn as one marker for all that stand side by side."""

_NODES = 20_000

_PLACE = re.compile(r"\{\{(\w+)\}\}")

_UNWRITABLE = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), 127, 0xFFFE, 0xFFFF)}
"""In XML."""


def dumps(profile: Profile) -> bytes:
    """Raises UsageError where the template is not built."""
    graph = flamegraph.build(profile, _NODES)
    boxes = list(_boxes(graph))
    height = TOP + (1 + max(box.depth for box in boxes)) * ROW + SIDE
    values = {
        "width": str(WIDTH),
        "height": str(height),
        "title": _text(html.title(profile)),
        "frames": "\n".join(map(_group, boxes)),
        "flamegraph": html.data(profile).decode(),
    }
    return _PLACE.sub(lambda place: values[place[1]], html.template("export.svg")).encode()


@dataclass(frozen=True, slots=True)
class _Box:
    """In pixels across; `kind` is the class of its rectangle."""

    left: float
    width: float
    depth: int
    name: str
    title: str
    kind: str


def _boxes(graph: Flamegraph) -> Iterator[_Box]:
    """A node stands where its parent begins, behind the siblings before it, which are larger; so
    all that follow a thin one are thin."""
    whole = max(1, int(graph.totals[ROOT]))
    scale = (WIDTH - 2 * SIDE) / whole
    words = [("total", "root")] + [(f.function, f.kind.name.lower()) for f in graph.frames]
    columns = (graph.depth, graph.frame + 1, graph.totals, graph.samples)
    edges, run = [0], _Run()
    for depth, frame, total, samples in zip(*(c.tolist() for c in columns), strict=True):
        if run.count and depth > run.depth:
            continue
        del edges[depth + 1 :]
        left = edges[depth]
        edges[depth] = left + total
        edges.append(left)
        if run.count and depth < run.depth:
            yield run.box(scale)
            run = _Run()
        if depth and total * scale < LEAST_PIXELS:
            run = _Run(run.left if run.count else left, run.total + total, depth, run.count + 1)
            continue
        name, kind = words[frame]
        title = f"{name} {_share(total, whole)} {samples:,} samples"
        yield _Box(SIDE + left * scale, total * scale, depth, name, title, kind)
    if run.count:
        yield run.box(scale)


@dataclass(frozen=True, slots=True)
class _Run:
    """Siblings that are too thin to draw."""

    left: int = 0
    total: int = 0
    depth: int = 0
    count: int = 0

    def box(self, scale: float) -> _Box:
        title = f"{self.count:,} frames too thin to draw"
        return _Box(SIDE + self.left * scale, self.total * scale, self.depth, "", title, "thin")


def _share(total: int, whole: int) -> str:
    """As the page writes it."""
    percent = 100 * total / whole
    if total == whole:
        return "100%"
    if percent < 0.01:
        return "<0.01%"
    return f"{min(percent, 99.9):.1f}%" if percent >= 9.995 else f"{percent:.2f}%"


def _group(box: _Box) -> str:
    y, room = TOP + box.depth * ROW, int((box.width - 6) / LETTER)
    name = box.name
    shown = name if len(name) <= room else f"{name[: room - 1]}…" if room > 2 else ""
    text = f'<text x="{box.left + 3:.1f}" y="{y + 13}">{_text(shown)}</text>' if shown else ""
    size = f'x="{box.left:.2f}" y="{y}" width="{max(box.width - 0.5, 0.3):.2f}" height="{ROW - 1}"'
    return f'<g><title>{_text(box.title)}</title><rect class="{box.kind}" {size}/>{text}</g>'


def _text(text: str) -> str:
    return escape(text.encode(errors="replace").decode().translate(_UNWRITABLE), quote=False)
