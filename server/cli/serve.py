"""`profiler serve`: the server alone, for collectors on other machines."""

import signal
from queue import SimpleQueue

import click

from server.app import Server
from server.config import DATABASE, GRPC, HTTP, Config


@click.command()
@click.option("--http", default=HTTP, show_default=True, envvar="PROFILER_HTTP", metavar="ADDR")
@click.option("--grpc", default=GRPC, show_default=True, envvar="PROFILER_GRPC", metavar="ADDR")
@click.option(
    "--database",
    default=DATABASE,
    show_default=True,
    envvar="PROFILER_DATABASE",
    metavar="URL",
    help="SQLite or PostgreSQL, as SQLAlchemy spells it.",
)
@click.option(
    "--migrate/--no-migrate",
    default=True,
    help="Whether to bring an older database to this version at the start.  [default: migrate]",
)
def serve(http: str, grpc: str, database: str, migrate: bool) -> None:
    """Take samples from collectors, keep them, show them.

    \b
    Examples:
      profiler serve
      profiler serve --http 0.0.0.0:8440 --grpc 0.0.0.0:8441
      profiler serve --database postgresql://profiler@db/profiler
    """
    config = Config(http=http, grpc=grpc, database=database, migrate=migrate)
    with Server(config) as server:
        click.echo(
            f"profiler: page http://{server.http_address}, collectors {server.grpc_address}, "
            f"database {server.database.name}",
            err=True,
        )
        _wait_for_signal()


def _wait_for_signal() -> None:
    signals = SimpleQueue[int]()  # its put is safe in a handler, that of an Event is not
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: signals.put(number))
    signals.get()
