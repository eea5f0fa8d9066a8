"""`profiler query`: the most expensive functions of a selector and a range."""

import io
import json
import sys
from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from profiler.cli import options
from profiler.cli.export import download
from profiler.cli.options import Selection
from profiler.cli.terminal import amount, printable, share
from profiler.errors import UnavailableError
from profiler.formats import FORMATS

WIDTH = 200
"""Columns where the output is no terminal: names are worth more than alignment there."""

STYLES = {"kernel": "magenta", "python": "green", "jit": "green", "marker": "yellow"}


@click.command(short_help="show the most expensive functions")
@options.selection
@options.format(("table", "json", *FORMATS), "json is the answer of the HTTP API.", default="table")
@click.option("--limit", metavar="N", default=20, show_default=True, help="Rows; 0 for all.")
@click.option(
    "--sort",
    type=click.Choice(("self", "total")),
    default="self",
    show_default=True,
    help="The column to sort by.",
)
@options.output
def query(selection: Selection, format: str, limit: int, sort: str, output: str) -> None:
    """Shows which functions cost most, of what SELECTOR (default: cpu) selects.

    "self" is the function's own, "total" with everything that it calls. Below the table stands
    how many samples were lost on the way, and why.

    \b
    Examples:
      profiler query                                    this server's last hour
      profiler query 'cpu{service_name="checkout"}' --from now-15m --sort total
      profiler query 'cpu{host_name=~"web-.*"}' --format json | jq .total
      profiler query cpu --format pprof -o cpu.pb.gz
    """
    if format in FORMATS:
        download(selection, format, output)
        return
    top = selection.client.get("top", selection.parameters | {"limit": limit, "sort": sort})
    if format == "json":
        options.write(json.dumps(top, indent=1).encode() + b"\n", output)
        return
    try:
        options.write(render(selection, top, output).encode(), output)
    except (KeyError, TypeError) as error:
        raise UnavailableError(
            f"{selection.server} answers otherwise than this version reads: {error!r}"
        ) from None


def render(selection: Selection, top: Mapping[str, Any], output: str) -> str:
    """The table and what stands around it, coloured where it goes to a terminal."""
    terminal = output == options.STDOUT and sys.stdout.isatty()
    console = Console(
        file=io.StringIO(), force_terminal=terminal, width=None if terminal else WIDTH
    )
    with console.capture() as capture:
        console.print(Text(headline(selection, top), style="bold"))
        if top["functions"]:
            console.print(table(top))
            hidden = top["functions_total"] - len(top["functions"])
            if hidden:
                console.print(Text(f"and {hidden:,} more functions (--limit 0 shows all)"))
        console.print(Text(losses(top["accounts"])))
    return capture.get()


def headline(selection: Selection, top: Mapping[str, Any]) -> str:
    """What was asked and how much there is of it: cpu: 3.2 min in 19,200 samples of 2 hosts."""
    total, coverage = top["total"], top["coverage"]
    if not total["samples"] and not total["value"]:
        return f"{selection.query}: no samples from {selection.start} to {selection.end}"
    hosts = f"{coverage['hosts']:,} host{'s' if coverage['hosts'] != 1 else ''}"
    recorded = " (with recorded profiles)" if coverage["recorded"] else ""
    value = amount(total["value"], top["unit"])
    return f"{selection.query}: {value} in {total['samples']:,} samples of {hosts}{recorded}"


def losses(accounts: Mapping[str, Any]) -> str:
    """The line of the accounts, which are those of the hosts and the range: lost 3 of 900 …"""
    taken, lost = accounts["taken"], accounts["losses"]
    if not lost:
        return f"nothing lost of {taken:,} samples taken on these hosts"
    causes = ", ".join(f"{printable(loss['cause'])} {loss['samples']:,}" for loss in lost)
    count = sum(loss["samples"] for loss in lost)
    return f"lost {count:,} of {taken:,} samples taken on these hosts: {causes}"


def table(top: Mapping[str, Any]) -> Table:
    """The functions of an answer of /api/v1/top, with what they cost and its share."""
    shown = Table(box=None, pad_edge=False)
    for name in ("self", "", "total", ""):
        shown.add_column(name, justify="right", no_wrap=True)
    # Columns that may wrap give way before the numbers do; their cells are cut instead.
    shown.add_column("function")
    shown.add_column("binary", style="dim")
    whole, unit = top["total"]["value"], top["unit"]
    for row in top["functions"]:
        shown.add_row(
            share(row["self"], whole),
            amount(row["self"], unit),
            share(row["total"], whole),
            amount(row["total"], unit),
            cell(row["function"], STYLES.get(row["kind"], "")),
            cell(row["binary"]),
        )
    return shown


def cell(text: str, style: str = "") -> Text:
    return Text(printable(text), style=style, no_wrap=True, overflow="ellipsis")
