"""`profiler query`: the most expensive functions of a selector and a range."""

import io
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from profiler.cli import nothing, options
from profiler.cli.export import download
from profiler.cli.options import Selection
from profiler.cli.terminal import amount, otherwise, printable, share
from profiler.cli.terminal import cores as cores_of
from profiler.errors import UnavailableError, UsageError
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
@click.option("--cores", is_flag=True, help="Show how many CPUs were in use, rather than time.")
@click.option(
    "--price",
    metavar="MONEY",
    type=click.FloatRange(min=0),
    help="Of an hour of a core: show what it costs as well.",
)
@options.output
def query(
    selection: Selection,
    format: str,
    limit: int,
    sort: str,
    cores: bool,
    price: float | None,
    output: str,
) -> None:
    """Shows which functions cost most, of what SELECTOR (default: cpu) selects.

    "self" is the function's own, "total" with everything that it calls. Below the table stands
    how many samples were lost on the way, and why.

    \b
    Examples:
      profiler query                                    this server's last hour
      profiler query 'cpu{service_name="checkout"}' --from now-15m --sort total
      profiler query 'cpu{host_name=~"web-.*"}' --format json | jq .total
      profiler query --from now-30d --cores --price 0.04
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
        priced = _money(top, price) if price is not None else {}
        seconds = _seconds(selection) if cores else None
        options.write(render(selection, top | priced, output, seconds).encode(), output)
    except (KeyError, TypeError) as error:
        raise UnavailableError(
            f"{selection.server} answers otherwise than this version reads: {error!r}"
        ) from None


def _seconds(selection: Selection) -> float:
    """The length of the range, by the server's clock."""
    asked = selection.client.get("timeline", selection.parameters)
    with otherwise(selection.server):
        return float(asked["to"] - asked["from"]) / 1000


def _money(top: Mapping[str, Any], price: float) -> dict[str, Any]:
    if top["unit"] != "nanoseconds":
        raise UsageError(f"--price is of time, and this is counted in {top['unit']}")
    return {"price": price}


def render(
    selection: Selection, top: Mapping[str, Any], output: str, seconds: float | None = None
) -> str:
    """The table and what stands around it, coloured where it goes to a terminal."""
    terminal = output == options.STDOUT and sys.stdout.isatty()
    console = Console(
        file=io.StringIO(), force_terminal=terminal, width=None if terminal else WIDTH
    )
    with console.capture() as capture:
        console.print(Text(headline(selection, top), style="bold"))
        if top["functions"]:
            console.print(table(top, seconds))
            hidden = top["functions_total"] - len(top["functions"])
            if hidden:
                console.print(Text(f"and {hidden:,} more functions (--limit 0 shows all)"))
        console.print(Text(losses(top["accounts"])))
    return capture.get()


def headline(selection: Selection, top: Mapping[str, Any]) -> str:
    """What was asked and how much there is of it: cpu: 3.2 min in 19,200 samples of 2 hosts."""
    total, coverage = top["total"], top["coverage"]
    if not total["samples"] and not total["value"]:
        return nothing.said(selection)
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


def table(top: Mapping[str, Any], seconds: float | None = None) -> Table:
    """The functions of an answer of /api/v1/top, with what they cost and its share: in cores, where
    a range of so many `seconds` is given, and with the money where there is a `price`."""
    shown = Table(box=None, pad_edge=False)
    price = top.get("price")
    money = ["cost"] if price is not None else []
    for name in ("self", "", *money, "total", "", *money):
        shown.add_column(name, justify="right", no_wrap=True)
    # Columns that may wrap give way before the numbers do; their cells are cut instead.
    shown.add_column("function")
    shown.add_column("binary", style="dim")
    whole = top["total"]["value"]
    for row in top["functions"]:
        shown.add_row(
            *map(Text, _costs(row["self"], whole, top["unit"], seconds, price)),
            *map(Text, _costs(row["total"], whole, top["unit"], seconds, price)),
            cell(row["function"], STYLES.get(row["kind"], "")),
            cell(row["binary"]),
        )
    return shown


def _costs(
    value: int, whole: int, unit: str, seconds: float | None, price: float | None
) -> Iterator[str]:
    yield share(value, whole)
    if seconds and unit == "nanoseconds":
        yield f"{cores_of(value / 1e9 / seconds)} cores"
    else:
        yield amount(value, unit)
    if price is not None:
        yield f"{value / 3600e9 * price:,.2f}"


def cell(text: str, style: str = "") -> Text:
    return Text(printable(text), style=style, no_wrap=True, overflow="ellipsis")
