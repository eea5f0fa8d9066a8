"""How far long work is, on the terminal of whoever waits for it; elsewhere nothing is said."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import track, wrap_file

from profiler.errors import UsageError

T = TypeVar("T")

LARGE_BYTES = 8 << 20
"""From here on a file takes more than about a second to read."""


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The file, with a bar of what was read of it where it is large. Raises UsageError."""
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            if size < LARGE_BYTES or not sys.stderr.isatty():
                yield file
                return
            bar = wrap_file(
                file,
                size,
                description=escape(f"reading {path.name}"),
                console=Console(stderr=True),
                transient=True,
            )
            with bar as watched:
                yield watched
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def each(items: Sequence[T], what: str) -> Iterator[T]:
    """The items, with a bar of how many are done."""
    if len(items) < 2 or not sys.stderr.isatty():
        yield from items
        return
    yield from track(items, escape(what), console=Console(stderr=True), transient=True)
