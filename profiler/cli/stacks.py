"""`profiler stacks`: what the stacks cost that hold one function and not another."""

from collections.abc import Iterator, Mapping
from typing import Any

import click
from rich.console import RenderableType
from rich.text import Text

from profiler.cli import nothing, options, printed
from profiler.cli.options import Selection
from profiler.cli.query import losses, table
from profiler.cli.terminal import amount, share


@click.command(short_help="show stacks that hold one function and not another")
@options.selection
@click.option("--with", "having", metavar="FUNCTION|REGEX", required=True, help="They hold it.")
@click.option("--without", "lacking", metavar="FUNCTION|REGEX", help="They do not hold it.")
@click.option("--limit", metavar="N", default=20, show_default=True, help="Rows.")
@options.format(("table", "json"), "json is the answer of the HTTP API.", default="table")
@options.output
def stacks(
    selection: Selection,
    having: str,
    lacking: str | None,
    limit: int,
    format: str,
    output: str,
) -> None:
    """Shows what the stacks cost, of what SELECTOR (default: cpu) selects, that hold one function
    and not another, and the functions that cost most in them. Exactly.

    A function is named, or matched by an expression of RE2 as a whole.

    \b
    Examples:
      profiler stacks --with malloc --without handle_request
      profiler stacks 'cpu{service_name="checkout"}' --with '.*lock.*' --from now-30d
    """
    parameters = {**selection.parameters, "with": having, "limit": limit, "max_nodes": 1000}
    if lacking is not None:
        parameters["without"] = lacking
    found = selection.client.get("stacks", parameters)

    def shown(answer: Mapping[str, Any]) -> Iterator[RenderableType]:
        if answer["found"]["samples"]:
            yield from costs(answer)
        elif lacking is None:
            yield Text(nothing.function(selection, having, answer["total"]["samples"]))
        else:
            yield Text(f"no stack holds {having!r} and not {lacking!r}")

    printed.write(selection.server, found, shown, format, output)


def costs(found: Mapping[str, Any]) -> Iterator[RenderableType]:
    value, samples = found["found"]["value"], found["found"]["samples"]
    of_all = share(value, found["total"]["value"])
    headline = f"{amount(value, found['unit'])} in {samples:,} samples, {of_all} of everything"
    yield Text(headline, style="bold")
    if found["functions"]:
        yield table({**found, "total": found["found"]})
        if hidden := found["functions_total"] - len(found["functions"]):
            yield Text(f"and {hidden:,} more functions (--limit)")
    yield Text(losses(found["accounts"]))
