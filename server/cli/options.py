"""Flags that several commands share."""

import click

from server.config import DATABASE

database = click.option(
    "--database",
    metavar="URL",
    default=DATABASE,
    envvar="PROFILER_DATABASE",
    show_default=True,
    show_envvar=True,
    help="SQLite or PostgreSQL: sqlite:///FILE or postgresql://USER@HOST/NAME.",
)

keep = click.option(
    "--keep",
    metavar="[TYPE:]LEVEL=TIME",
    multiple=True,
    help="How long profiles (raw), their sums by minute and by hour are kept; also of one profile "
    "type. Repeat for several.  [default: raw=7d, minute=30d, hour=400d]",
)
keep_size = click.option(
    "--keep-size",
    metavar="SIZE",
    help="How much the database may hold, such as 50GB; the oldest goes first.",
)
