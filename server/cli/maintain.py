"""`profiler compact` and `profiler prune`: at once what `profiler serve` does in the background."""

import time
from collections.abc import Iterator

import click
from rich.console import Console
from rich.progress import Progress

from server.cli import options
from server.config import TENANT, policy
from server.maintenance import compaction_phases
from server.store import migrations, retention
from server.store.database import Database
from server.store.retention import Step


@click.command(short_help="compact a database and sum it up")
@options.database
def compact(database: str) -> None:
    """Moves all samples into chunks, and makes the sums anew that are out of date.

    `profiler serve` does so by itself unless it is told not to. Several may do it at once, also
    while servers use the database.

    \b
    Examples:
      profiler compact
      profiler compact --database postgresql://profiler@db/profiler
    """
    with Database(database) as opened:
        migrations.check(opened)
        done = _run(compaction_phases(opened, time.time_ns(), everything=True))
        click.echo(f"profiler: {opened.name} is compacted, in {done} steps", err=True)


@click.command(short_help="remove what is older than it is to be kept")
@options.database
@options.keep
@options.keep_size
def prune(database: str, keep: tuple[str, ...], keep_size: str | None) -> None:
    """Removes profiles, and later their sums by minute and by hour, that are old enough.

    `profiler serve` does so by itself unless it is told not to. Several may do it at once, also
    while servers use the database. What is removed is not taken again: batches that are older
    than the profiles that are kept are refused.

    \b
    Examples:
      profiler prune
      profiler prune --keep raw=14d --keep hour=forever
      profiler prune --keep off_cpu:raw=1d --keep-size 200GB
    """
    wanted = policy(keep, keep_size)
    with Database(database) as opened:
        migrations.check(opened)
        now_ns = time.time_ns()
        done = _run(compaction_phases(opened, now_ns))
        done += _run(retention.phases(opened, TENANT, wanted, now_ns))
        click.echo(f"profiler: {opened.name} is pruned, in {done} steps", err=True)


def _run(phases: Iterator[list[Step]]) -> int:
    """How many steps there were; shows them on a terminal."""
    done = 0
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        for phase in phases:
            for step in progress.track(phase):
                step()
            done += len(phase)
    return done
