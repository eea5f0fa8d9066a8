"""`profiler import`: profiles from files into a server's history."""

import hashlib
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from collector.cli import options as flags
from collector.config import SERVER
from collector.delivery import once
from collector.delivery.grpc import plain_channel
from collector.sources.imported import HOST, Imports
from profiler import wire
from profiler.cli import progress, sides
from profiler.cli.terminal import printable
from profiler.errors import FormatError, UsageError
from profiler.formats.lines import Mistakes
from profiler.model import Drain
from profiler.timerange import parse_time

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SERVICE = "service_name"


@click.command("import", short_help="store profiles from files on a server")
@click.argument("names", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--server",
    metavar="HOST:PORT",
    default=SERVER,
    show_default=True,
    help="Where to send them (gRPC).",
)
@click.option(
    "--label",
    "labels",
    metavar="NAME=VALUE",
    multiple=True,
    help="A label of all of them, in place of one of this name in a file; may be repeated."
    f"  [default: {_SERVICE}, the file's name, where it says none]",
)
@click.option(
    "--time",
    "at",
    metavar="TIME",
    help="When they were taken, for files that do not say.  [default: when the file was written]",
)
@click.option(
    "--skip-bad-lines",
    is_flag=True,
    help="Leave out lines of text that cannot be read, and say how many.",
)
@flags.host_name
def import_(
    names: tuple[str, ...],
    server: str,
    labels: tuple[str, ...],
    at: str | None,
    skip_bad_lines: bool,
    host_name: str,
) -> None:
    """Stores the profiles in FILEs, of any format that `profiler convert` reads.

    A FILE may be a directory or a quoted pattern. All types of a file are stored, and every set of
    labels as a series of its own. A file that is imported again is stored once, unless it is with
    other labels, another time or another host.

    \b
    Examples:
      profiler import cpu.pb.gz --label service_name=checkout --label service_version=1.4
      profiler import node.pb                           what `profiler collect --to` wrote
      perf script > p.txt && profiler import p.txt --time 2026-03-01T12:00:00Z
      profiler import 'runs/*.folded' --label service_name=benchmark
    """
    given = dict(map(_label, labels))
    time_ns = parse_time(at, time.time_ns()) if at else None
    connect = plain_channel(server)
    paths = [path for name in names for path in sides.paths(name)]
    samples = 0
    with connect() as channel:
        for path in progress.each(paths, "importing"):
            usual = {HOST: host_name, _SERVICE: path.name.partition(".")[0]}
            imports = Imports(given, usual, _written_ns(path) if time_ns is None else time_ns)
            drains = list(_read(path, imports, skip_bad_lines))
            for number in once.deliver(channel, _identity(drains), drains):
                samples += sum(part.total_samples for part in drains[number - 1].profiles)
    files = f"{len(paths):,} file{'s' if len(paths) != 1 else ''}"
    click.echo(f"profiler: stored {samples:,} samples of {files}; to {server}", err=True)


def _label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not _NAME.fullmatch(name):
        raise UsageError(f"--label {text!r:.80}: expected NAME=VALUE")
    return name, value


def _read(path: Path, imports: Imports, skip_bad_lines: bool) -> Iterator[Drain]:
    mistakes = Mistakes() if skip_bad_lines else None
    try:
        with sides.opened(path) as file:
            yield from imports.drains(file, mistakes)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from None
    if mistakes is not None and mistakes.count:
        click.echo(f"profiler: {printable(str(path))}: left out {mistakes}", err=True)


def _written_ns(path: Path) -> int:
    try:
        return time.time_ns() if str(path) == sides.STDIN else path.stat().st_mtime_ns
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def _identity(drains: Sequence[Drain]) -> bytes:
    """The collector of these drains, and of no others."""
    content = hashlib.sha256()
    for drain in drains:
        content.update(wire.encode(drain, bytes(16), 0).SerializeToString(deterministic=True))
    return content.digest()[:16]
