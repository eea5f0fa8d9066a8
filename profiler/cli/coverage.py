"""`profiler coverage`: how much of each day there is."""

from collections.abc import Iterator, Mapping
from typing import Any

import click
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from profiler.cli import nothing, options, printed
from profiler.cli.options import Selection
from profiler.cli.query import cell
from profiler.cli.terminal import share, when


@click.command(short_help="show hosts, samples and losses of each day")
@click.argument("query", metavar="[SELECTOR]", default="cpu")
@options.server
@options.times(start="now-30d")
@click.option(
    "--step",
    type=click.Choice(("1d", "1h")),
    default="1d",
    show_default=True,
    help="A day or an hour, of UTC.",
)
@options.format(("table", "json"), "json is the answer of the HTTP API.", default="table")
@options.output
def coverage(query: str, server: str, format: str, output: str, **given: Any) -> None:
    """Shows from how many hosts there are samples in each day, how many were taken, and which were
    lost on the way.

    The hosts are those of what SELECTOR (default: cpu) selects; losses belong to a host.

    \b
    Examples:
      profiler coverage
      profiler coverage 'cpu{service_name="checkout"}' --from now-90d
      profiler coverage --step 1h --from now-1d
    """
    selection = Selection(query, server, given.pop("from"), given.pop("to"))
    found = selection.client.get("coverage", {**selection.parameters, **given})

    def shown(answer: Mapping[str, Any]) -> Iterator[RenderableType]:
        if answer["buckets"]:
            yield days(answer)
        else:
            yield Text(nothing.said(selection))

    printed.write(server, found, shown, format, output)


def days(found: Mapping[str, Any]) -> Table:
    hours = found["step"] < 86_400_000
    table = printed.table("time", "hosts", "taken", "stored", "lost", "", "causes", text=1)
    for row in found["buckets"]:
        lost = sum(loss["samples"] for loss in row["losses"])
        causes = ", ".join(f"{loss['cause']} {loss['samples']:,}" for loss in row["losses"])
        table.add_row(
            when(row["time"], hours=hours),
            f"{row['hosts']:,}",
            f"{row['taken']:,}",
            f"{row['stored']:,}",
            f"{lost:,}",
            share(lost, row["taken"]),
            cell(causes),
        )
    return table
