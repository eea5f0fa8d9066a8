"""`profiler history`: what a function cost a day over weeks, and when that changed."""

import csv
import io
import json
import sys
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from profiler.cli import nothing, options, plot
from profiler.cli.client import Client
from profiler.cli.options import Selection
from profiler.cli.query import STYLES, WIDTH, cell
from profiler.cli.terminal import cores, otherwise, printable, when
from profiler.errors import UsageError

_HEIGHT = 4

_COLUMNS = (
    *("time", "label_value", "function", "file", "binary", "share", "low", "high", "cores"),
    *("self", "total", "all", "self_samples", "total_samples", "all_samples", "clusters"),
)


@click.command(short_help="show what a function cost over weeks, and when that changed")
@click.argument("function", metavar="FUNCTION|REGEX")
@click.argument("query", metavar="[SELECTOR]", default="cpu")
@options.server
@options.times(start="now-90d")
@click.option(
    "--step",
    type=click.Choice(("1d", "1h")),
    default="1d",
    show_default=True,
    help="A day or an hour, of UTC.",
)
@click.option("--by", metavar="LABEL", help="A line for each value of a label: service_version.")
@click.option(
    "--cost",
    type=click.Choice(("total", "self")),
    default="total",
    show_default=True,
    help="With all that it calls, or its own alone.",
)
@click.option(
    "--cluster",
    type=click.Choice(("hour", "host")),
    help="What is alike, for the interval.  [default: hours of whole services, else hosts]",
)
@click.option("--limit", metavar="N", default=5, show_default=True, help="Lines.")
@options.format(("table", "json", "csv"), "json is the answer of the HTTP API.", default="table")
@options.output
def history(function: str, query: str, format: str, output: str, server: str, **given: Any) -> None:
    """Shows the share and the cores of a function in each day, of what SELECTOR selects.

    Of a name that no function has, an expression of RE2 that matches whole names. The interval
    is one of 95 %. Marked below the picture: | a deploy, ^ a change of level.

    \b
    Examples:
      profiler history json.dumps
      profiler history 'json\\..*' 'cpu{service_name="checkout"}' --cost self
      profiler history malloc --by service_version --from now-30d
      profiler history memcpy --step 1h --from now-2d --format csv -o memcpy.csv
    """
    parameters = {name: value for name, value in given.items() if value is not None}
    found, mistake = _asked(Client(server), function, {"query": query, **parameters})
    selection = Selection(query, server, str(given["from"]), str(given["to"]))
    with otherwise(server):
        if format == "json":
            text = json.dumps(found, indent=1) + "\n"
        elif format == "csv":
            text = as_csv(found)
        else:
            missing = "" if found["lines"] else _missing(selection, function, mistake)
            text = render(found, str(given["cost"]), output, missing)
    options.write(text.encode(), output)


def _asked(
    client: Client, function: str, parameters: dict[str, str | int]
) -> tuple[dict[str, Any], str]:
    """Of the functions of that name, or those that match; and why it is no expression, "" where it
    is one."""
    found = client.get("trend", parameters | {"function": function})
    if found.get("lines"):
        return found, ""
    try:
        return client.get("trend", parameters | {"match": function}), ""
    except UsageError as error:
        if str(error).startswith("match: not a regular expression"):
            return found, str(error)  # it is a name then, and nothing has it
        raise


def _missing(selection: Selection, function: str, mistake: str) -> str:
    text = nothing.function(selection, function, len(nothing.hosts(selection)))
    return f"{text} ({mistake})" if mistake else text


def as_csv(found: Mapping[str, Any]) -> str:
    """A row a line and bucket; times are Unix milliseconds."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_COLUMNS)
    for line in found["lines"]:
        for at, time in enumerate(found["times"]):
            values = {name: line[name] for name in ("label_value", "function", "file", "binary")}
            values |= {
                name: line[name][at] for name in _COLUMNS if isinstance(line.get(name), list)
            }
            values |= {"time": time, "cores": _cores(found, line, at, "total")}
            rows.writerow([values[name] for name in _COLUMNS])
    return text.getvalue()


def render(found: Mapping[str, Any], cost: str, output: str, missing: str = "") -> str:
    terminal = output == options.STDOUT and sys.stdout.isatty()
    console = Console(
        file=io.StringIO(), force_terminal=terminal, width=None if terminal else WIDTH
    )
    with console.capture() as capture:
        if missing:
            console.print(Text(missing), soft_wrap=True)
        for line in found["lines"]:
            _print(console, found, line, cost)
        if hidden := found["hidden"]["lines"]:
            console.print(Text(f"and {hidden:,} more lines (--limit)"))
    return capture.get()


def _print(console: Console, found: Mapping[str, Any], line: Mapping[str, Any], cost: str) -> None:
    title = cell(line["function"], STYLES.get(line["kind"], "bold"))
    if found["by"]:
        title = Text.assemble(f"{found['by']}={printable(line['label_value'])!r} ", title)
    width = min(plot.SPARK_WIDTH, console.width - 12)
    times, most = found["times"], max(line["share"], default=0)
    rows = plot.columns(plot.narrowed(line["share"], width), _HEIGHT)
    console.print(title, Text(f"{line['binary'] and '  '}{printable(line['binary'])}", style="dim"))
    for number, row in enumerate(rows):
        scale = f"{100 * most:.2f} %" if not number else ""
        console.print(Text(f"{scale:>9} {row}", no_wrap=True))
    if marks := _marks(found, line, width):
        console.print(Text(f"{'':>9} {marks}", no_wrap=True))
    days = f"{when(times[0])} to {when(times[-1])}" if times else ""
    console.print(Text(f"{'':>9} {days}", style="dim"))
    console.print(_summary(found, line, cost))
    for change in line["changes"]:
        console.print(Text(_change(change), style="yellow"))
    console.print()


def _marks(found: Mapping[str, Any], line: Mapping[str, Any], width: int) -> str:
    times = found["times"]
    came = [one["time"] for one in found["deploys"] if _ours(found, line, one)]
    marks = [" "] * min(len(times), width)
    for mark, moments in (("|", came), ("^", [one["time"] for one in line["changes"]])):
        for moment in moments:
            at = max(bisect_right(times, moment) - 1, 0)
            marks[plot.place(at, len(times), width)] = mark
    return "".join(marks).rstrip()


def _ours(found: Mapping[str, Any], line: Mapping[str, Any], deploy: Mapping[str, Any]) -> bool:
    return found["by"] != "service_name" or bool(deploy["service"] == line["label_value"])


def _summary(found: Mapping[str, Any], line: Mapping[str, Any], cost: str) -> Table:
    """The first and the last bucket with samples, and all."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("", "share", "95 % interval", "cores", "samples"):
        table.add_column(name, justify="left" if not name else "right", no_wrap=True)
    held = [at for at, samples in enumerate(line["all_samples"]) if samples]
    for at in dict.fromkeys(held[:1] + held[-1:]):
        table.add_row(
            when(found["times"][at]),
            f"{100 * line['share'][at]:.2f} %",
            _interval(line, at, found["cluster"]),
            cores(_cores(found, line, at, cost)),
            f"{line[f'{cost}_samples'][at]:,}",
        )
    whole = sum(line["all"])
    seconds = len(found["times"]) * found["step"] * 10**6
    table.add_row(
        "all",
        f"{100 * sum(line[cost]) / whole:.2f} %" if whole else "-",
        "",
        cores(sum(line[cost]) / seconds if found["unit"] == "nanoseconds" and seconds else None),
        f"{sum(line[f'{cost}_samples']):,}",
    )
    return table


def _interval(line: Mapping[str, Any], at: int, cluster: str) -> str:
    if line["clusters"][at] < 3:
        return f"unknown ({line['clusters'][at]} {cluster}s)"
    return f"{100 * line['low'][at]:.2f} to {100 * line['high'][at]:.2f} %"


def _cores(found: Mapping[str, Any], line: Mapping[str, Any], at: int, cost: str) -> float | None:
    """On average over the bucket, of what is time."""
    if found["unit"] != "nanoseconds":
        return None
    return float(line[cost][at] / (found["step"] * 10**6))


def _change(change: Mapping[str, Any]) -> str:
    before, after = change["before"], change["after"]
    relative = f" ({100 * (after - before) / before:+.0f} %)" if before else ""
    text = (
        f"changed {when(change['time'], hours=change['precision'] < 86_400_000)}: "
        f"{100 * before:.2f} % to {100 * after:.2f} %{relative}"
    )
    return text + "".join(_deploy(one) for one in change["deploys"])


def _deploy(one: Mapping[str, Any]) -> str:
    before = f" after {printable(one['previous'])}" if one["previous"] else ""
    service, version = printable(one["service"]), printable(one["version"])
    return f", after the deploy of {service} {version}{before} at {when(one['time'], hours=True)}"
