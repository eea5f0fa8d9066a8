"""`profiler diff`: what became of each function from one side to the other."""

import io
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from profiler.analysis import diff as functions_of
from profiler.analysis.diff import Change, Cost, Diff, FunctionDifference
from profiler.analysis.estimate import MIN_UNITS
from profiler.analysis.gate import Terms
from profiler.analysis.rules import Column, Per
from profiler.cli import compared, options, sides
from profiler.cli.compared import Compared
from profiler.cli.query import WIDTH, cell
from profiler.cli.sides import Reader
from profiler.reports import two_folded
from profiler.reports.report import amount, change

VERSION = 1

STYLES = {
    Change.GROWN: "red",
    Change.NEW: "red",
    Change.SHRUNK: "green",
    Change.VANISHED: "green",
    Change.MOVED: "yellow",
    Change.NOISE: "dim",
}


@click.command(short_help="show what differs between two profiles")
@sides.reading
@click.argument("baseline", metavar="SIDE")
@click.argument("candidate", metavar="[SIDE]", required=False)
@compared.per
@compared.requests
@click.option(
    "--alpha",
    metavar="PART",
    type=click.FloatRange(0, 1, True, True),
    default=0.05,
    show_default=True,
    help="The part of functions that are said to differ and do not.",
)
@click.option(
    "--sort",
    type=click.Choice(("self", "total")),
    default="self",
    show_default=True,
    help="The cost that is shown.",
)
@click.option("--all", "everything", is_flag=True, help="Show what is noise too.")
@click.option("--limit", metavar="N", default=40, show_default=True, help="Rows; 0 for all.")
@options.format(
    ("table", "json", "folded"),
    "folded has two counts a stack, for difffolded's readers.",
    default="table",
)
@options.output
def diff(
    reader: Reader,
    baseline: str,
    candidate: str | None,
    per: Per,
    requests: tuple[float, float] | None,
    alpha: float,
    sort: Column,
    everything: bool,
    limit: int,
    format: str,
    output: str,
) -> None:
    """Compares the second SIDE with the first; a deploy alone with what ran before it.

    A SIDE is a file, a folder or a pattern of files (each a run), a selector with a range, or a
    deploy. With three or more runs or hosts a side, what is shown is more than these differ by
    among themselves; else it is more than sampling alone would make.

    \b
    Examples:
      profiler diff before.folded after.folded
      profiler diff runs/main 'runs/branch/*.pb.gz' --sort total
      profiler diff 'cpu{host_name="a"}@now-2d..now-1d' 'cpu{host_name="a"}@now-1d'
      profiler diff deploy:checkout
    """
    both = compared.read(reader, baseline if candidate else None, candidate or baseline)
    if format == "folded":
        options.write(two_folded.dumps(both.union), output)
        return
    found = functions_of.functions(both.union, Terms(alpha=alpha, per=per, requests=requests))
    if format == "json":
        options.write(_json(both, found), output)
        return
    terminal = output == options.STDOUT and sys.stdout.isatty()
    options.write(_text(both, found, sort, everything, limit, terminal).encode(), output)


def _text(
    both: Compared, found: Diff, column: Column, everything: bool, limit: int, terminal: bool
) -> str:
    rows = [row for row in found.rows if everything or row.of(column).change is not Change.NOISE]
    rows.sort(key=lambda row: -abs(row.of(column).difference))
    shown = rows[: limit or None]
    console = Console(
        file=io.StringIO(), force_terminal=terminal, width=None if terminal else WIDTH
    )
    with console.capture() as capture:
        for line in _head(both, found):
            console.print(Text(line), soft_wrap=True)
        if shown:
            console.print(_table(shown, column, found.terms.per))
        if len(rows) > len(shown):
            console.print(f"and {len(rows) - len(shown):,} more functions (--limit 0 shows all)")
        rest = len(found.rows) - len(rows)
        console.print(Text(f"{rest:,} functions do not differ by more than noise in {column}"))
    return capture.get()


def _head(both: Compared, found: Diff) -> Iterator[str]:
    one, other = found.units
    yield f"{both.baseline} ({one:,} units) -> {both.candidate} ({other:,} units)"
    yield from (f"note: {notice}" for notice in both.notices)
    if not found.clustered:
        yield (
            f"note: fewer than {MIN_UNITS} runs or hosts a side: how much these differ is not"
            " known, and taken for that of windows of one host"
        )


def _table(rows: Sequence[FunctionDifference], column: Column, per: Per) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("before", "after", "difference", "", "between", "samples"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("function")
    for row in rows:
        cost = row.of(column)
        style = STYLES[cost.change]
        table.add_row(
            amount(cost.before, per),
            amount(cost.after, per),
            Text(change(cost.difference, per), style=style),
            _relative(cost),
            f"{change(cost.low, per)} .. {change(cost.high, per)}",
            f"{cost.samples[0]:,} {cost.samples[1]:,}",
            Text(cost.change, style=style),
            cell(_named(row)),
        )
    return table


def _relative(cost: Cost) -> str:
    return "new" if cost.relative is None else f"{100 * cost.relative:+.0f} %"


def _named(row: FunctionDifference) -> str:
    """The function, what it was called, and where its cost only moved."""
    name = row.key[0]
    if row.names is not None:
        name += f" (was {row.names[0]})"
    return f"{name} (within {row.moved_in[0]})" if row.moved_in else name


def _json(both: Compared, found: Diff) -> bytes:
    document = {
        "version": VERSION,
        "baseline": {"name": both.baseline, "units": found.units[0]},
        "candidate": {"name": both.candidate, "units": found.units[1]},
        "paired": found.paired,
        "clustered": found.clustered,
        "per": found.terms.per,
        "alpha": found.terms.alpha,
        "notices": list(both.notices),
        "functions": [_function(row) for row in found.rows],
    }
    return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"


def _function(row: FunctionDifference) -> dict[str, Any]:
    function, file, binary, kind = row.key
    return {
        "function": function,
        "file": file,
        "binary": binary,
        "kind": kind.name.lower(),
        "names": list(row.names or ()),
        "moved_in": row.moved_in[0] if row.moved_in else "",
        "self": _cost(row.selves),
        "total": _cost(row.totals),
    }


def _cost(cost: Cost) -> dict[str, Any]:
    return {
        "before": cost.before,
        "after": cost.after,
        "difference": cost.difference,
        "relative": cost.relative,
        "low": cost.low,
        "high": cost.high,
        "samples": list(cost.samples),
        "change": cost.change.value,
    }
