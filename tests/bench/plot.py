"""Lines over time as an SVG that can be read on light and on dark pages.

Panels stand above each other and share the time. A panel's scale begins at zero, or is logarithmic.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT = 760, 190
"""Of a panel, with everything."""

LEFT, RIGHT, TOP, BOTTOM = 60, 90, 34, 26

_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #333 }
.title { font-weight: 600 }
.grid { stroke: #8885; stroke-width: 1 }
.line { fill: none; stroke-width: 1.5; stroke-linejoin: round }
.c0 { stroke: #1f6feb } .c1 { stroke: #bc4c00 } .c2 { stroke: #1a7f37 }
.t0 { fill: #1f6feb } .t1 { fill: #bc4c00 } .t2 { fill: #1a7f37 }
@media (prefers-color-scheme: dark) {
  text { fill: #ccc }
  .c0 { stroke: #79b8ff } .c1 { stroke: #ffab70 } .c2 { stroke: #85e89d }
  .t0 { fill: #79b8ff } .t1 { fill: #ffab70 } .t2 { fill: #85e89d }
}
"""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Panel:
    """Up to three lines, by name; x in minutes. A logarithmic scale wants values above zero."""

    title: str
    lines: dict[str, Points]
    logarithmic: bool = False


def svg(panels: Sequence[Panel]) -> str:
    end = max(x for panel in panels for points in panel.lines.values() for x, _ in points)
    height = HEIGHT * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img"><style>{_STYLE}</style>'
    ]
    for number, panel in enumerate(panels):
        parts += [f'<g transform="translate(0 {HEIGHT * number})">', *_drawn(panel, end), "</g>"]
    return "\n".join([*parts, "</svg>\n"])


@dataclass(frozen=True, slots=True)
class _Scale:
    """From values to places."""

    first: float
    last: float
    begin: float
    end: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        first, last = self.first, self.last
        if self.logarithmic:
            first, last, value = log10(first), log10(last), log10(value)
        return self.begin + (value - first) / (last - first) * (self.end - self.begin)


def _drawn(panel: Panel, end: float) -> Iterator[str]:
    values = [y for points in panel.lines.values() for _, y in points]
    ticks = _decades(values) if panel.logarithmic else _steps(max(values))
    across = _Scale(0, end, LEFT, WIDTH - RIGHT)
    up = _Scale(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP, panel.logarithmic)
    yield f'<text class="title" x="{LEFT}" y="18">{escape(panel.title)}</text>'
    for tick in ticks:
        y = up.at(tick)
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>'
    foot = HEIGHT - 8
    for tick in _steps(end)[:-1]:
        yield f'<text x="{across.at(tick):.1f}" y="{foot}" text-anchor="middle">{tick:g}</text>'
    yield f'<text x="{WIDTH - RIGHT + 8}" y="{foot}">minutes</text>'
    for number, (name, points) in enumerate(panel.lines.items()):
        path = "L".join(f"{across.at(x):.1f} {up.at(y):.1f}" for x, y in points)
        yield f'<path class="line c{number}" d="M{path}"/>'
        y = 18 + 16 * number if len(panel.lines) > 1 else 18
        yield f'<text class="t{number}" x="{WIDTH - RIGHT + 8}" y="{y + TOP}">{escape(name)}</text>'


def _steps(largest: float) -> list[float]:
    """From zero to beyond the largest, four to ten of them."""
    size = 10 ** floor(log10(largest))
    step = next(step for step in (size / 10, size / 5, size / 2, size) if largest / step <= 8)
    return [step * number for number in range(ceil(largest / step) + 1)]


def _decades(values: Sequence[float]) -> list[float]:
    first, last = floor(log10(min(values))), ceil(log10(max(values)))
    return [10.0**power for power in range(first, max(last, first + 1) + 1)]
