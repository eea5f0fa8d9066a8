"""`profiler db`: what a database holds."""

import time

import click
from rich.console import Console
from rich.table import Table

from server.cli import options
from server.store import migrations, size
from server.store.database import Database
from server.store.size import Holdings


@click.command(short_help="say what a database holds")
@options.database
def db(database: str) -> None:
    """Prints the rows and bytes of each table, bytes an entry, epochs, and how far behind the
    compaction is. An entry is a stack with samples in a profile.

    \b
    Examples:
      profiler db
      profiler db --database postgresql://profiler@db/profiler
    """
    with Database(database) as opened:
        migrations.check(opened)
        held = size.holdings(opened, time.time_ns())
    console = Console()
    console.print(_table(held))
    for name, value in _facts(held):
        console.print(f"{name:22} {value}", highlight=False)


def _table(held: Holdings) -> Table:
    table = Table("table", box=None, pad_edge=False)
    for name in ("rows", "bytes"):
        table.add_column(name, justify="right")
    for one in held.tables:
        table.add_row(one.name, f"{one.rows:,}", f"{one.bytes:,}")
    return table


def _facts(held: Holdings) -> list[tuple[str, str]]:
    used = held.bytes - held.free_bytes
    return [
        ("bytes", f"{held.bytes:,} ({held.free_bytes:,} free)"),
        ("entries", f"{held.entries:,}"),
        ("bytes an entry", f"{used / held.entries:.2f}" if held.entries else "-"),
        ("epochs of symbols", f"{held.epochs:,} ({held.nodes:,} nodes)"),
        ("compaction is behind", f"{held.lag_ns / 1e9:,.0f} s"),
        ("hours, days to sum up", f"{held.stale:,}"),
    ]
