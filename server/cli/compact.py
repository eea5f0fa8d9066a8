"""`profiler compact`: what `profiler serve` does in the background, at once."""

import time

import click
from rich.console import Console
from rich.progress import Progress

from server.cli import options
from server.maintenance import phases
from server.store import migrations
from server.store.database import Database


@click.command(short_help="compact a database and sum it up")
@options.database
def compact(database: str) -> None:
    """Moves all samples into chunks, and makes the sums anew that are out of date.

    `profiler serve` does so by itself unless it is told not to. Several may do it at once, also
    while servers use the database.

    \b
    Examples:
      profiler compact
      profiler serve --no-maintain & watch -n 300 profiler compact
    """
    done = 0
    with Database(database) as opened:
        migrations.check(opened)
        console = Console(stderr=True)
        with Progress(console=console, disable=not console.is_terminal) as progress:
            for phase in phases(opened, time.time_ns(), everything=True):
                for step in progress.track(phase):
                    step()
                done += len(phase)
        click.echo(f"profiler: {opened.name} is compacted, in {done} steps", err=True)
