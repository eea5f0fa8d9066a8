"""`profiler migrate`: brings a database to the tables that this version needs."""

import click

from profiler.errors import UsageError
from server.cli import options
from server.store import distribution, migrations
from server.store.database import Database


@click.command(short_help="bring the database to this version")
@options.database
@click.option(
    "--revision",
    metavar="REVISION",
    default=migrations.HEAD,
    show_default=True,
    help="Where to go; base is nothing.",
)
@click.option("--check", is_flag=True, help="Change nothing; exit 1 unless it is at this version.")
@click.option(
    "--distribute",
    is_flag=True,
    help="Then spread the tables over the workers of a Citus cluster, those that are not yet.",
)
def migrate(database: str, revision: str, check: bool, distribute: bool) -> None:
    """Brings the database to this version, or to another revision.

    `profiler serve` does so by itself unless it is told not to, but distributes nothing. Several
    may do it at once.

    \b
    Examples:
      profiler migrate --database postgresql://profiler@db/profiler
      profiler migrate --check
      profiler migrate --revision base          removes every table
      profiler migrate --distribute --database postgresql://profiler@db/profiler
    """
    if distribute and (check or revision != migrations.HEAD):
        raise UsageError("--distribute goes with neither --check nor --revision")
    with Database(database) as opened:
        if distribute:
            distribution.check(opened)
        if check:
            migrations.check(opened)
            click.echo(f"profiler: {opened.name} is at revision {migrations.head()}", err=True)
        else:
            before, after = migrations.migrate(opened, revision)
            click.echo(f"profiler: {opened.name} went from {before} to {after}", err=True)
        if distribute:
            names = ", ".join(distribution.distribute(opened)) or "nothing"
            click.echo(f"profiler: {opened.name} has distributed {names}", err=True)
