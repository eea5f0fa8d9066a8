"""`profiler deploys`: which version of a service came when; `profiler deploys add` says so."""

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


@click.group(invoke_without_command=True, short_help="show which version came when, or post one")
@click.option(
    "--query",
    metavar="SELECTOR",
    default="cpu",
    show_default=True,
    help="Of what it selects: versions, environments, or services by any label of theirs.",
)
@click.option("--service", metavar="NAME", help="Of this service.")
@options.server
@options.times(start="now-7d")
@options.format(("table", "json"), "json is the answer of the HTTP API.", default="table")
@options.output
@click.pass_context
def deploys(
    context: click.Context, /, query: str, service: str | None, server: str, **given: str
) -> None:
    """Shows the deploys that hosts were seen to make, and those that were posted.

    A deploy is a version of a service that comes where another one was. What a
    service runs when it is first seen is none.

    \b
    Examples:
      profiler deploys
      profiler deploys --service checkout --from now-30d
      profiler deploys --query 'cpu{host_name="a"}' --format json
      profiler deploys add --service checkout --version 1.4
    """
    context.obj = server
    if context.invoked_subcommand:
        return
    parameters: dict[str, str | int] = {"query": query, "from": given["from"], "to": given["to"]}
    if service is not None:
        parameters["service"] = service
    found = Client(server).get("deploys", parameters)
    if given["format"] == "json":
        options.write(json.dumps(found, indent=1).encode() + b"\n", given["output"])
        return
    try:
        options.write(render(found, given["output"]).encode(), given["output"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _otherwise(server, error) from None


@deploys.command(short_help="post a deploy")
@click.option("--service", metavar="NAME", required=True, help="The service_name of its samples.")
@click.option("--version", metavar="VERSION", required=True, help="Their service_version.")
@click.option("--revision", metavar="SHA", default="", help="What it was built from.")
@click.option("--environment", metavar="NAME", default="", help="Such as production.")
@click.option("--time", metavar="TIME", help="When it was made.  [default: now]")
@click.option("--server", metavar="URL", help="The server to tell.  [default: as of deploys]")
@click.pass_obj
def add(outer: str, /, server: str | None, **given: str | None) -> None:
    """Tells the server of a deploy. Once is enough, and more often changes nothing.

    \b
    Examples:
      profiler deploys add --service checkout --version 1.4 --revision "$(git rev-parse HEAD)"
      profiler deploys add --service checkout --version 1.4 --environment production
    """
    server = server or outer
    body = {name: value for name, value in given.items() if value}
    made = Client(server).post("deploys", body)
    try:
        when, version = _time(made["time"]), printable(made["version"])
        click.echo(f"deploy of {printable(made['service'])} {version} at {when}", err=True)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _otherwise(server, error) from None


def render(found: Mapping[str, Any], output: str) -> str:
    """The table, the newest first."""
    terminal = output == options.STDOUT and sys.stdout.isatty()
    console = Console(
        file=io.StringIO(), force_terminal=terminal, width=None if terminal else WIDTH
    )
    with console.capture() as capture:
        if found["deploys"]:
            console.print(_table(found["deploys"]))
        else:
            console.print(Text("no deploys in this range"))
        if hidden := found["hidden"]["deploys"]:
            console.print(Text(f"and {hidden:,} older ones (choose a shorter range)"))
    return capture.get()


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("time", "service", "environment", "version", "previous", "revision"):
        table.add_column(name, no_wrap=name == "time")
    table.add_column("hosts", justify="right", no_wrap=True)
    table.add_column("from")
    for row in rows:
        program = " ".join(filter(None, (row["service"], row["executable"])))
        origins = (row["host"], "posted" if row["posted"] else "")
        table.add_row(
            _time(row["time"]),
            _cell(program if row["executable"] != row["service"] else row["service"]),
            *(_cell(row[name]) for name in ("environment", "version", "previous")),
            _cell(row["revision"][:12]),
            f"{row['hosts']:,}",
            _cell(", ".join(filter(None, origins))),
        )
    return table


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _cell(text: str) -> Text:
    return Text(printable(text), no_wrap=True, overflow="ellipsis")


def _otherwise(server: str, error: Exception) -> UnavailableError:
    return UnavailableError(f"{server} answers otherwise than this version reads: {error!r}")
