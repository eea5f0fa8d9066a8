"""`profiler top`: what costs most now, on a terminal that refreshes itself."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from importlib.metadata import entry_points
from typing import Any

import click
from rich.console import Console
from rich.live import Live

from profiler.cli import file_table, live, nothing, sides
from profiler.cli.client import DEFAULT_SERVER
from profiler.cli.live import SORTS, View
from profiler.cli.options import Selection
from profiler.cli.sides import Reader
from profiler.errors import UnavailableError, UsageError
from profiler.timerange import SECOND, parse_duration

GROUP = "profiler.top"
"""Of entry points: `local` gives a Source of this machine, where the collector is installed."""

BEHIND_SECONDS = 10
"""A profile is asked for by its begin, and arrives when its drain has ended, 10 s later. Up to that
long ago everything is there, so that rates are right."""

MOST_ROWS = 200

Source = Callable[[str], Mapping[str, Any]]
"""What costs most by `self` or `total`, as /api/v1/top answers, with the `seconds` of it."""


@click.command(short_help="show what costs most now")
@click.argument("query", metavar="[SELECTOR|FILE]", default="cpu")
@click.option(
    "--server",
    metavar="URL",
    default=DEFAULT_SERVER,
    envvar="PROFILER_SERVER",
    show_default=True,
    show_envvar=True,
    help="The server to ask.",
)
@sides.of_files
@click.option("--local", is_flag=True, help="Sample this machine instead, without any server.")
@click.option("-p", "--pid", type=int, metavar="PID", help="Sample this process, likewise.")
@click.option(
    "-F",
    "--frequency",
    type=int,
    metavar="HZ",
    default=199,
    show_default=True,
    help="Samples a second on each CPU, where this machine is sampled.",
)
@click.option(
    "--window",
    "window_ns",
    type=parse_duration,
    metavar="DURATION",
    default="30s",
    show_default=True,
    help="How much of the past is shown.",
)
@click.option(
    "--interval",
    "interval_ns",
    type=parse_duration,
    metavar="DURATION",
    default="2s",
    show_default=True,
    help="Between two refreshes.",
)
@click.option(
    "--sort", type=click.Choice(SORTS), default="self", show_default=True, help="The first order."
)
@click.option("--once", is_flag=True, help="Print it once, as it does where there is no terminal.")
def top(
    query: str,
    server: str,
    type: str | None,
    skip_bad_lines: bool,
    local: bool,
    pid: int | None,
    frequency: int,
    window_ns: int,
    interval_ns: int,
    sort: str,
    once: bool,
) -> None:
    """Shows which functions cost most of what SELECTOR (default: cpu) selects, and refreshes it.

    A server is asked for the last seconds that all collectors have delivered. With --local or -p,
    this machine is sampled by the command itself. Of a file, of any format that `profiler convert`
    reads, the table is printed once.

    \b
    Keys: q leaves, s sorts by self or by total, p pauses.

    \b
    Examples:
      profiler top
      profiler top 'cpu{service_name="checkout"}' --sort total
      profiler top -p 1234
      profiler top --local --once
      profiler top cpu.pb.gz
    """
    if min(window_ns, interval_ns) < SECOND // 10:
        raise UsageError("--window and --interval: 100ms is the least")
    if sides.is_file(query):
        reader = Reader(server, "now-1h", "now", type, skip_bad_lines)
        click.echo(file_table.render(query, reader.profile(query), sort), nl=False)
        return
    sampled = local or pid is not None
    if sampled and query != "cpu":
        raise UsageError("a SELECTOR is for a server: leave out --local and -p")
    name = f"process {pid}" if pid is not None else "this machine" if local else query
    selection = _selection(query, server, window_ns)
    opened = _local(pid, frequency, window_ns) if sampled else _remote(selection, window_ns)
    view, seconds = View(name, sort), interval_ns / SECOND
    if not sampled:
        view.why = partial(nothing.said, selection)
    with opened as source:
        if once or not (sys.stdin.isatty() and sys.stdout.isatty()):
            if sampled:
                time.sleep(seconds)
            width = None if sys.stdout.isatty() else live.WIDTH
            Console(width=width).print(view.render(source(sort)))
        else:
            _run(source, view, seconds)


def _selection(query: str, server: str, window_ns: int) -> Selection:
    """The last window that everybody has delivered."""
    window_ms, behind_ms = window_ns // 10**6, BEHIND_SECONDS * 1000
    return Selection(query, server, f"now-{window_ms + behind_ms}ms", f"now-{behind_ms}ms")


@contextmanager
def _remote(selection: Selection, window_ns: int) -> Iterator[Source]:
    client, seconds = selection.client, window_ns / SECOND

    def ask(sort: str) -> Mapping[str, Any]:
        parameters = {**selection.parameters, "sort": sort, "limit": MOST_ROWS}
        return {**client.get("top", parameters), "seconds": seconds}

    yield ask


def _local(pid: int | None, frequency_hz: int, window_ns: int) -> AbstractContextManager[Source]:
    for entry in entry_points(group=GROUP, name="local"):
        try:
            opened: AbstractContextManager[Source] = entry.load()(pid, frequency_hz, window_ns)
        except ModuleNotFoundError as error:
            raise UsageError(
                f"to sample this machine needs the collector extra ({error.name} is not "
                "installed): pip install 'profiler[collector]'"
            ) from None
        return opened
    raise UsageError("to sample this machine needs the collector extra")


def _run(source: Source, view: View, seconds: float) -> None:
    """Until q or Ctrl-C."""
    answer = source(view.sort)
    with live.keys() as read, Live(screen=True, auto_refresh=False) as screen:
        while True:
            screen.update(view.render(answer, screen.console.height), refresh=True)
            key = read(seconds)
            if key == "q":
                return
            view.press(key)
            try:
                found = source(view.sort)
                view.trouble = ""
            except UnavailableError as error:
                found, view.trouble = answer, str(error)
            if not view.paused or key == "s":
                answer = found
