"""Tables and text as a command writes them: as wide and coloured as the terminal, if it is one."""

import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table

from profiler.cli import options
from profiler.cli.query import WIDTH
from profiler.cli.terminal import otherwise

Shown = Callable[[Mapping[str, Any]], Iterator[RenderableType]]


def write(server: str, found: Mapping[str, Any], shown: Shown, format: str, output: str) -> None:
    """An answer of the server as JSON, or as what `shown` makes of it, one below the other."""
    if format == "json":
        options.write(json.dumps(found, indent=1).encode() + b"\n", output)
        return
    terminal = output == options.STDOUT and sys.stdout.isatty()
    console = Console(
        file=io.StringIO(), force_terminal=terminal, width=None if terminal else WIDTH
    )
    with otherwise(server), console.capture() as capture:
        for one in shown(found):
            console.print(one)
    options.write(capture.get().encode(), output)


def table(*columns: str, text: int = 0) -> Table:
    """Of numbers, but for the last `text` columns, which give way before the numbers do."""
    made = Table(box=None, pad_edge=False)
    for place, name in enumerate(columns):
        is_text = place >= len(columns) - text
        made.add_column(name, justify="left" if is_text else "right", no_wrap=not is_text)
    return made
