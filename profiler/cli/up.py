"""`profiler up`: server and collector on this machine, together, until Ctrl-C."""

import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import click

from profiler.cli.children import Children
from profiler.cli.client import Client
from profiler.cli.settings import Settings
from profiler.errors import ProfilerError, UnavailableError, UsageError

PROGRAM = (sys.executable, "-m", "profiler")
READY_TIMEOUT_S = 60
"""For a large database to be migrated."""

POLL_S = 0.2
CHECK_TIMEOUT_S = 60
RECORDING = "demo"
DATABASE = "sqlite:///profiler.db"
"""The default of `profiler serve`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to start, from the options; None leaves an option to the command itself."""

    http: str
    grpc: str
    database: str | None
    loader: str | None
    frequency: str | None
    interval: str | None
    events: tuple[str, ...] = ()
    program: tuple[str, ...] = PROGRAM

    @property
    def check(self) -> list[str]:
        return [*self.program, "collect", "--check"]

    @property
    def serve(self) -> list[str]:
        options = {"http": self.http, "grpc": self.grpc, "database": self.database}
        return [*self.program, "serve", *_flags(options)]

    @property
    def spool(self) -> str:
        """Beside the database: what the server did not acknowledge is sent at the next start."""
        scheme, _, path = (self.database or DATABASE).partition(":///")
        return f"{path if scheme == 'sqlite' and path else 'profiler.db'}.spool"

    def collect(self, *, recorded: bool) -> list[str]:
        options: dict[str, str | None] = {"server": self.grpc, "spool": self.spool}
        if recorded:
            options["recorded"] = RECORDING
        else:
            options |= {
                "loader": self.loader,
                "frequency": self.frequency,
                "interval": self.interval,
            }
        events = () if recorded else self.events
        return [*self.program, "collect", *_flags(options), *(f"--event={one}" for one in events)]

    @property
    def page(self) -> str:
        """The address for a browser on this machine."""
        host, _, port = self.http.rpartition(":")
        if host in ("", "0.0.0.0", "[::]"):  # every address of this machine, so this one too
            host = "[::1]" if host == "[::]" else "127.0.0.1"
        return f"http://{host}:{port}"


@click.command(short_help="profile this machine and show the page")
@click.option(
    "--http",
    metavar="ADDR",
    default="127.0.0.1:8440",
    envvar="PROFILER_HTTP",
    show_default=True,
    help="Where the page and the HTTP API are served.",
)
@click.option(
    "--grpc",
    metavar="ADDR",
    default="127.0.0.1:8441",
    envvar="PROFILER_GRPC",
    show_default=True,
    help="Where collectors are listened to.",
)
@click.option(
    "--database",
    metavar="URL",
    envvar="PROFILER_DATABASE",
    help="SQLite or PostgreSQL, as for `profiler serve`.",
)
@click.option("--loader", metavar="NAME", help="auto, libbpf or bcc, as for `profiler collect`.")
@click.option("-F", "--frequency", metavar="HZ", help="Samples a second and CPU.")
@click.option("--interval", metavar="DURATION", help="The time between two drains.")
@click.option(
    "-e",
    "--event",
    "events",
    metavar="EVENTS",
    multiple=True,
    help="What to sample, as for `profiler collect`; again for more.",
)
@click.pass_context
def up(
    context: click.Context,
    http: str,
    grpc: str,
    database: str | None,
    loader: str | None,
    frequency: str | None,
    interval: str | None,
    events: tuple[str, ...],
) -> None:
    """Starts a server and a collector and prints the page's address when it shows samples.

    Ctrl-C stops the collector, whose last samples are delivered, and then the server. On a
    machine that cannot be sampled, the page opens on a recorded profile, marked as such.

    \b
    Examples:
      profiler up
      profiler up --http 127.0.0.1:9000 --frequency 199
      profiler up --event cpu,off-cpu/min=1ms/
      profiler up --database postgresql://profiler@db/profiler
    """
    settings: Settings = context.find_root().obj
    program = (*PROGRAM, "--config", str(settings.path)) if settings.exists else PROGRAM
    run(Plan(http, grpc, database, loader, frequency, interval, events, program))


def run(plan: Plan) -> None:
    """Runs until a signal says stop; raises ProfilerError where a part of it fails."""
    client = Client(plan.page, timeout_s=5)
    if client.ready():
        raise UsageError(f"a server already answers at {plan.page}; choose another --http ADDR")
    with Children(lambda line: click.echo(line, err=True)) as children:
        started_ms = time.time_ns() // 1_000_000
        children.start("serve", plan.serve)
        missing = missing_on_this_node(plan.check)  # takes a second, in which the server starts
        if missing:
            _say(f"this node cannot be sampled: {missing}")
            _say("a recorded profile is shown; `profiler collect --check` says what mends it")
        if not _until_ready(children, client):
            return
        children.start("collect", plan.collect(recorded=bool(missing)), may_end=bool(missing))
        while children.attend(POLL_S):
            if _has_samples(client, 0 if missing else started_ms):
                click.echo(plan.page)
                break
        while children.attend(3600):
            pass


def missing_on_this_node(check: Sequence[str]) -> str:
    """What `collect --check` first finds missing, "" where the node can be sampled."""
    try:
        done = subprocess.run(
            check, capture_output=True, text=True, errors="replace", timeout=CHECK_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"`collect --check` took longer than {CHECK_TIMEOUT_S} s") from None
    if done.returncode == 0:
        return ""
    findings = [line for line in done.stdout.splitlines() if line.startswith("MISSING ")]
    if done.returncode != 1 or not findings:
        *_, reason = ["no reason", *done.stderr.splitlines()]
        raise ProfilerError(
            f"`collect --check` ended with exit code {done.returncode}: "
            + reason.removeprefix("profiler: ")
        )
    _, name, value = re.split(r"\s{2,}", findings[0], maxsplit=2)
    return f"{name}: {value}"  # what else is missing mostly follows from it


def _until_ready(children: Children, client: Client) -> bool:
    """Waits for the server; False when a signal says stop meanwhile."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not client.ready():
        if not children.attend(POLL_S):
            return False
        if time.monotonic() > deadline:
            raise UnavailableError(f"the server was not ready within {READY_TIMEOUT_S} s")
    return True


def _has_samples(client: Client, since_ms: int) -> bool:
    """Whether the page would show something that was taken from `since_ms` on."""
    try:
        types = client.get("profile-types", {})["profile_types"]
        return any(_has_samples_of(client, one["name"], since_ms) for one in types)
    except UnavailableError:  # busy: asked again soon
        return False


def _has_samples_of(client: Client, profile_type: str, since_ms: int) -> bool:
    answer = client.get("series", {"query": profile_type, "from": since_ms, "to": "now"})
    return any(series["samples"] for series in answer["series"])


def _flags(options: dict[str, str | None]) -> list[str]:
    return [f"--{name}={value}" for name, value in options.items() if value is not None]


def _say(text: str) -> None:
    click.echo(f"profiler: {text}", err=True)
