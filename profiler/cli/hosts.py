"""`profiler hosts`: on which hosts a function costs another share than on the others."""

from collections.abc import Iterator, Mapping
from typing import Any

import click
from rich.console import RenderableType
from rich.text import Text

from profiler.cli import nothing, options, printed
from profiler.cli.options import Selection
from profiler.cli.query import cell
from profiler.cli.terminal import amount


@click.command(short_help="show on which hosts a function costs another share")
@click.argument("function", metavar="FUNCTION")
@options.selection
@click.option("--regex", is_flag=True, help="FUNCTION is an expression of RE2 for whole names.")
@click.option(
    "--cost",
    type=click.Choice(("total", "self")),
    default="total",
    show_default=True,
    help="With all that it calls, or its own alone.",
)
@click.option("--limit", metavar="N", default=20, show_default=True, help="Rows.")
@options.format(("table", "json"), "json is the answer of the HTTP API.", default="table")
@options.output
def hosts(
    selection: Selection,
    function: str,
    regex: bool,
    cost: str,
    limit: int,
    format: str,
    output: str,
) -> None:
    """Shows the share of a function on each host, of what SELECTOR (default: cpu) selects, those
    that are furthest from the median first.

    z is how many deviations a host is from it: those of the hosts, by their median, and those of
    its own samples. Beyond 3.5 it is an outlier, marked with *.

    \b
    Examples:
      profiler hosts malloc --from now-1d
      profiler hosts 'tcp_.*' 'cpu{service_name="checkout"}' --regex --cost self
    """
    asked: dict[str, str | int] = {"cost": cost, "limit": limit}
    asked["match" if regex else "function"] = function
    found = selection.client.get("hosts", {**selection.parameters, **asked})

    def shown(answer: Mapping[str, Any]) -> Iterator[RenderableType]:
        if any(row["samples"] for row in answer["hosts"]):
            yield from table(answer)
        else:
            yield Text(nothing.function(selection, function, answer["hosts_total"]))

    printed.write(selection.server, found, shown, format, output)


def table(found: Mapping[str, Any]) -> Iterator[RenderableType]:
    headline = f"median {100 * found['median']:.2f} %, {found['outliers']:,} outliers"
    yield Text(f"{headline} of {found['hosts_total']:,} hosts", style="bold")
    rows = printed.table("", "z", "share", "cost", "samples", "of", "host", text=1)
    for row in found["hosts"]:
        rows.add_row(
            "*" if row["outlier"] else "",
            f"{row['z']:+.1f}",
            f"{100 * row['share']:.2f} %",
            amount(row["value"], found["unit"]),
            f"{row['samples']:,}",
            f"{row['all_samples']:,}",
            cell(row["host_name"]),
        )
    if found["hosts"]:
        yield rows
    if hidden := found["hosts_total"] - len(found["hosts"]):
        yield Text(f"and {hidden:,} more hosts (--limit)")
