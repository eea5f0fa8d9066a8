"""The most expensive functions of a profile from a file, as `profiler query` shows a server's."""

import io
import sys

from rich.console import Console
from rich.text import Text

from profiler.analysis import forest, top
from profiler.cli.query import WIDTH, table
from profiler.cli.terminal import amount, printable
from profiler.model import Profile

ROWS = 200


def render(name: str, profile: Profile, sort: str) -> str:
    """A line of what there is and the table, coloured for a terminal."""
    trees = forest.of(profile)
    found = top.functions(trees, ROWS, by_total=sort == "total")
    value, samples = trees.total
    unit = trees.type.unit
    terminal = sys.stdout.isatty()
    console = Console(
        file=io.StringIO(), force_terminal=terminal, width=None if terminal else WIDTH
    )
    counted = f" in {samples:,} samples" if samples else ""
    headline = f"{printable(name)}: {printable(trees.type.name)}, {amount(value, unit)}{counted}"
    rows = [cost.row for cost in found.functions]
    with console.capture() as capture:
        console.print(Text(headline, style="bold"))
        console.print(table({"unit": unit, "total": {"value": value}, "functions": rows}))
        if found.hidden:
            console.print(Text(f"and {found.hidden:,} more functions"))
    return capture.get()
