"""`profiler serve`: the server alone, for collectors on other machines."""

import logging
import signal
import socket
from pathlib import Path

import click

from server.alerts import rules
from server.app import Server
from server.cli import options
from server.config import GRPC, HTTP, NO_ALERTS, Config, policy
from server.store.symbols import CACHED_NODES


@click.command(short_help="take samples from collectors, keep and show them")
@click.option(
    "--http",
    metavar="ADDR",
    default=HTTP,
    envvar="PROFILER_HTTP",
    show_default=True,
    help="Where the page and the HTTP API are served.",
)
@click.option(
    "--grpc",
    metavar="ADDR",
    default=GRPC,
    envvar="PROFILER_GRPC",
    show_default=True,
    help="Where collectors are listened to.",
)
@options.database
@click.option(
    "--migrate/--no-migrate",
    default=True,
    show_default=True,
    help="Whether to bring an older database to this version at the start.",
)
@click.option(
    "--maintain/--no-maintain",
    default=True,
    show_default=True,
    help="Whether to compact, sum up and prune in the background, or leave it to "
    "`profiler compact` and `profiler prune`.",
)
@options.keep
@options.keep_size
@click.option(
    "--cached-nodes",
    metavar="N",
    type=click.IntRange(min=1),
    default=CACHED_NODES,
    show_default=True,
    help="How many nodes of stacks are remembered, 120 bytes each for writing and 24 for reading; "
    "beyond them the symbols of a service are read again.",
)
@click.option(
    "--alerts",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The rules of alerts and whom they are told: TOML, as docs/guide/alerts.md has it.",
)
@click.option("-v", "--verbose", is_flag=True, help="Say more on stderr: every batch and request.")
def serve(
    http: str,
    grpc: str,
    database: str,
    migrate: bool,
    maintain: bool,
    keep: tuple[str, ...],
    keep_size: str | None,
    cached_nodes: int,
    alerts: Path | None,
    verbose: bool,
) -> None:
    """Takes samples from collectors, keeps them in a database, and serves the page.

    There are no accounts: whoever reaches the addresses can read and write. Keep them on the
    loopback, in a private network, or behind a proxy that knows its users.

    \b
    Examples:
      profiler serve
      profiler serve --http 0.0.0.0:8440 --grpc 0.0.0.0:8441
      profiler serve --database postgresql://profiler@db/profiler
      profiler serve --alerts alerts.toml
      profiler serve --keep raw=14d --keep off_cpu:raw=1d --keep-size 200GB
    """
    logging.basicConfig(format="profiler: %(message)s", level=logging.WARNING)
    if verbose:
        logging.getLogger("server").setLevel(logging.DEBUG)
    config = Config(
        http=http,
        grpc=grpc,
        database=database,
        migrate=migrate,
        maintain=maintain,
        policy=policy(keep, keep_size),
        cached_nodes=cached_nodes,
        alerts=NO_ALERTS if alerts is None else rules.read(alerts),
    )
    with Server(config) as server:
        click.echo(
            f"profiler: page http://{server.http_address}, collectors {server.grpc_address}, "
            f"database {server.database.name}",
            err=True,
        )
        _wait_for_signal()


def _wait_for_signal() -> None:
    """Waits by a socket that the C handler writes to: the kernel may hand a signal to any thread,
    and a lock would go on sleeping in this one."""
    waiting, told = socket.socketpair()
    with waiting, told:
        told.setblocking(False)
        signal.set_wakeup_fd(told.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        waiting.recv(1)
        signal.set_wakeup_fd(-1)
