"""Flags that mean the same in every command, and what they are when read."""

import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from profiler.cli.client import DEFAULT_SERVER, Client
from profiler.errors import ProfilerError, UsageError
from profiler.formats import FORMATS

Callback = Callable[..., None]

STDOUT = "-"


@dataclass(frozen=True, slots=True)
class Selection:
    """What to ask which server: a selector and a range of time, as they were typed.

    They go to the server as they are: its clock is the one that `now` means, and its parser the
    one that finds mistakes.
    """

    query: str
    server: str
    start: str
    end: str

    @property
    def client(self) -> Client:
        return Client(self.server)

    @property
    def parameters(self) -> dict[str, str | int]:
        """As the HTTP API names them."""
        return {"query": self.query, "from": self.start, "to": self.end}


server = click.option(
    "--server",
    metavar="URL",
    default=DEFAULT_SERVER,
    envvar="PROFILER_SERVER",
    show_default=True,
    show_envvar=True,
    help="The server to ask.",
)


def times(start: str) -> Callable[[Callback], Callback]:
    """--from, by default `start`, and --to."""
    of_start = click.option(
        "--from",
        metavar="TIME",
        default=start,
        show_default=True,
        help="From this time on: now-15m, RFC 3339, or Unix seconds or milliseconds.",
    )
    of_end = click.option(
        "--to", metavar="TIME", default="now", show_default=True, help="Up to this time."
    )
    return lambda command: of_start(of_end(command))


def selection(command: Callback) -> Callback:
    """Gives `command` a Selection from SELECTOR, --server, --from and --to."""

    @click.argument("query", metavar="[SELECTOR]", default="cpu")
    @server
    @times(start="now-1h")
    @functools.wraps(command)
    def with_selection(**given: Any) -> None:
        chosen = Selection(*(given.pop(name) for name in ("query", "server", "from", "to")))
        command(chosen, **given)

    return with_selection


def format(choices: Sequence[str], help: str, default: str | None = None) -> Callable[..., Any]:
    """--format, one of `choices`."""
    return click.option(
        "--format", type=click.Choice(choices), default=default, show_default=True, help=help
    )


output = click.option(
    "-o",
    "--output",
    metavar="FILE",
    default=STDOUT,
    show_default=True,
    help="Where to write; - is the standard output.",
)


value = click.option(
    "--value",
    type=click.Choice(("samples", "value")),
    default="samples",
    show_default=True,
    help="What folded counts: samples, or the unit of the type (nanoseconds for cpu).",
)


def format_by_suffix(output: str) -> str | None:
    """The format whose files are named like `output`, None where no format's are."""
    return next((f.name for f in FORMATS.values() if output.endswith(f.suffix)), None)


def check_writable(output: str) -> None:
    """Before what takes an hour has no place to go; raises UsageError."""
    if output == STDOUT:
        return
    try:
        Path(output).open("ab").close()
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror}") from None


def write(data: bytes, output: str, *, binary: bool = False) -> None:
    """Writes to the file or the standard output; raises ProfilerError where that fails."""
    if output == STDOUT:
        if binary and sys.stdout.isatty():
            raise UsageError("this format is not for terminals; give a file with -o FILE")
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        Path(output).write_bytes(data)
    except OSError as error:
        raise ProfilerError(f"cannot write {output}: {error.strerror}") from None
