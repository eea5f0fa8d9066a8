"""`profiler callers`: who calls a function, and what it costs them."""

from collections.abc import Iterator, Mapping
from typing import Any

import click
from rich.console import RenderableType
from rich.text import Text

from profiler.cli import nothing, options, printed
from profiler.cli.options import Selection
from profiler.cli.terminal import amount, printable, share

_NODES = 2000


@click.command(short_help="show who calls a function and what that costs")
@click.argument("function")
@options.selection
@click.option("--callees", is_flag=True, help="Show what it calls instead.")
@click.option("--depth", metavar="N", default=6, show_default=True, help="Levels of the tree.")
@click.option(
    "--least",
    metavar="PERCENT",
    type=click.FloatRange(0, 100),
    default=2.0,
    show_default=True,
    help="Leave out what is less of the function's cost.",
)
@options.format(("table", "json"), "json is the answer of the HTTP API.", default="table")
@options.output
def callers(
    selection: Selection,
    function: str,
    callees: bool,
    depth: int,
    least: float,
    format: str,
    output: str,
) -> None:
    """Shows the ways to a function, of what SELECTOR (default: cpu) selects: below each line stand
    those that call it, with the part of the function's cost that came that way.

    A stack counts once, from where the function stands in it first.

    \b
    Examples:
      profiler callers malloc
      profiler callers malloc 'cpu{service_name="checkout"}' --from now-30d
      profiler callers main --callees --depth 10 --least 1
    """
    parameters = {**selection.parameters, "function": function, "max_nodes": _NODES}
    found = selection.client.get("callers", parameters)

    def shown(answer: Mapping[str, Any]) -> Iterator[RenderableType]:
        if answer["functions"]:
            yield from tree(answer, "callees" if callees else "callers", depth, least / 100)
        else:
            yield Text(nothing.function(selection, function, answer["total"]["samples"]))

    printed.write(selection.server, found, shown, format, output)


def tree(found: Mapping[str, Any], side: str, depth: int, least: float) -> Iterator[RenderableType]:
    """A line a node, indented; what is left out is counted."""
    drawn, whole = found[side], found[side]["total"]["value"]
    of_all = share(whole, found["total"]["value"])
    yield Text(f"{amount(whole, found['unit'])}, {of_all} of everything", style="bold")
    nodes, strings = drawn["nodes"], drawn["strings"]
    names, left = drawn["frames"]["function"], 0
    for level, frame, value in zip(nodes["depth"], nodes["frame"], nodes["total"], strict=True):
        if frame < 0:
            continue
        if level > depth or value < least * whole:
            left += 1
            continue
        indent = "  " * (level - 1)
        name = printable(strings[names[frame]])
        line = f"{share(value, whole):>8} {amount(value, found['unit']):>10}  {indent}{name}"
        yield Text(line, no_wrap=True, overflow="ellipsis")
    if left or drawn["hidden"]["nodes"]:
        hidden = left + drawn["hidden"]["nodes"]
        yield Text(f"left out: {hidden:,} lines (--depth, --least)", style="dim")
