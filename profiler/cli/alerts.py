"""`profiler alerts`: the rules of a server's alerts, and how each stands."""

import io
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from profiler.cli import options
from profiler.cli.client import Client
from profiler.cli.query import WIDTH
from profiler.cli.terminal import printable
from profiler.errors import UnavailableError


@click.command(short_help="show the rules of alerts, and which of them fire")
@options.server
@options.format(("table", "json"), "json is the answer of the HTTP API.", default="table")
@options.output
def alerts(server: str, format: str, output: str) -> None:
    """Shows what `profiler serve --alerts FILE` evaluates, and how each rule stands.

    \b
    Examples:
      profiler alerts
      profiler alerts --format json | jq '.alerts[] | select(.state == "firing")'
    """
    found = Client(server).get("alerts", {})
    if format == "json":
        options.write(json.dumps(found, indent=1).encode() + b"\n", output)
        return
    try:
        options.write(render(found, output).encode(), output)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UnavailableError(
            f"{server} answers otherwise than this version reads: {error!r}"
        ) from None


def render(found: Mapping[str, Any], output: str) -> str:
    """The table, in the order of the rules."""
    terminal = output == options.STDOUT and sys.stdout.isatty()
    console = Console(
        file=io.StringIO(), force_terminal=terminal, width=None if terminal else WIDTH
    )
    with console.capture() as capture:
        if found["alerts"]:
            console.print(_table(found["alerts"]))
        else:
            console.print(Text("no rules (profiler serve --alerts FILE)"))
    return capture.get()


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("rule", "state"):
        table.add_column(name, no_wrap=True)
    table.add_column("since", no_wrap=True)
    table.add_column("condition", no_wrap=True)
    table.add_column("found", overflow="fold")
    for row in rows:
        condition = f"{row['condition']} of {row['cost']} > {row['bound']}"
        said = f"error: {row['error']}" if row["error"] else row["detail"]
        table.add_row(
            *(Text(printable(row[name])) for name in ("name", "state")),
            _time(row["since"]),
            Text(printable(condition)),
            Text(printable(said)),
        )
    return table


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ") if ms else ""
