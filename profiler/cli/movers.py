"""`profiler movers`: which functions cost more or less than before, are new, or are gone."""

from collections.abc import Iterator, Mapping
from typing import Any

import click
from rich.console import RenderableType
from rich.text import Text

from profiler.cli import nothing, options, printed
from profiler.cli.client import Client
from profiler.cli.options import Selection
from profiler.cli.query import STYLES, cell
from profiler.cli.sides import Reader
from profiler.cli.terminal import when


@click.command(short_help="show which functions cost more or less than before")
@click.argument("query", metavar="[SELECTOR]", default="cpu")
@options.server
@options.times(start="now-7d")
@click.option(
    "--since",
    metavar="DURATION",
    help="How much earlier the range is that it is compared with.  [default: its length]",
)
@click.option(
    "--deploy",
    metavar="SERVICE[@VERSION]",
    help="Compare a version, from its deploy on, with what ran for as long before.",
)
@click.option(
    "--only",
    type=click.Choice(("all", "grown", "shrunk", "new", "gone")),
    default="all",
    show_default=True,
    help="New functions have no sample before, gone ones none now.",
)
@click.option(
    "--cost",
    type=click.Choice(("self", "total")),
    default="self",
    show_default=True,
    help="Its own, or with all that it calls.",
)
@click.option("--limit", metavar="N", default=20, show_default=True, help="Rows, at most 200.")
@options.format(("table", "json"), "json is the answer of the HTTP API.", default="table")
@options.output
def movers(
    query: str,
    server: str,
    since: str | None,
    deploy: str | None,
    format: str,
    output: str,
    **given: Any,
) -> None:
    """Shows which functions take another share of what SELECTOR selects than before, the largest
    difference first. Without flags, of this week beside the one before.

    The sums are exact. The interval is one of 95 %, by what days (of whole services) or hosts
    differ, of each function alone. Dim is what chance does among so many functions: where nothing
    changed, anything is not dim in at most 5 %.

    \b
    Examples:
      profiler movers
      profiler movers 'cpu{service_name="checkout"}' --from now-1h --since 7d
      profiler movers --only new --from 2026-03-01T00:00:00Z
      profiler movers --only new --deploy checkout@1.4
    """
    start, end = given.pop("from"), given.pop("to")
    selection = Selection(query, server, start, end)
    sides = selection.parameters
    if deploy is not None:
        service, _, version = deploy.partition("@")
        now, before = Reader(server, start, end).deploy(service, version or None)
        earlier = {"before": before.query, "before_from": before.start, "before_to": before.end}
        sides = {**now.parameters, **earlier}
    elif since is not None:
        sides = {**sides, "since": since}
    found = Client(server).get("movers", {**sides, **given})

    def shown(answer: Mapping[str, Any]) -> Iterator[RenderableType]:
        if answer["total"]["samples"] or answer["before"]["samples"]:
            yield from ranked(answer)
        else:
            yield Text(nothing.said(selection))

    printed.write(server, found, shown, format, output)


def ranked(found: Mapping[str, Any]) -> Iterator[RenderableType]:
    before = found["before"]
    ranges = [
        f"{when(one['from'], hours=True)} to {when(one['to'], hours=True)}"
        for one in (found, before)
    ]
    yield Text(f"{ranges[0]}, before: {ranges[1]}", style="bold")
    if not before["samples"]:
        yield Text("there is nothing before")
    if not found["movers"]:
        yield Text("no such function")
        return
    table = printed.table(
        *("before", "now", "difference", "95 % interval", "samples before", "now"),
        *("function", "binary"),
        text=2,
    )
    for row in found["movers"]:
        table.add_row(
            f"{100 * row['share_before']:.2f} %" if row["total_samples_before"] else "new",
            f"{100 * row['share']:.2f} %" if row["total_samples"] else "gone",
            f"{100 * (row['share'] - row['share_before']):+.2f} pp",
            _interval(row),
            f"{row['total_samples_before']:,}",
            f"{row['total_samples']:,}",
            cell(row["function"], STYLES.get(row["kind"], "")),
            cell(row["binary"]),
            style="dim" if row["noise"] else "",
        )
    yield table
    if hidden := found["hidden"]["movers"]:
        yield Text(f"and {hidden:,} more functions (--limit)")


def _interval(row: Mapping[str, Any]) -> str:
    if row["high"] - row["low"] >= 2:
        return "unknown"
    return f"{100 * row['low']:+.2f} to {100 * row['high']:+.2f}"
