"""Flags that `serve` and `migrate` share."""

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
