"""`profiler migrate`: brings the database to the tables that this version needs."""

import click

from server.config import DATABASE
from server.store import migrations
from server.store.database import Database


@click.command()
@click.option(
    "--database",
    default=DATABASE,
    show_default=True,
    envvar="PROFILER_DATABASE",
    metavar="URL",
    help="SQLite or PostgreSQL, as SQLAlchemy spells it.",
)
@click.option("--revision", default=migrations.HEAD, show_default=True, help="Where to go.")
@click.option("--check", is_flag=True, help="Change nothing; exit 1 unless it is at this version.")
def migrate(database: str, revision: str, check: bool) -> None:
    """Bring the database to this version, or to another revision.

    \b
    Examples:
      profiler migrate --database postgresql://profiler@db/profiler
      profiler migrate --check
      profiler migrate --revision base          removes every table
    """
    with Database(database) as opened:
        if check:
            migrations.check(opened)
            click.echo(f"profiler: {opened.name} is at revision {migrations.head()}", err=True)
        else:
            before, after = migrations.migrate(opened, revision)
            click.echo(f"profiler: {opened.name} went from {before} to {after}", err=True)
