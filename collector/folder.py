"""A folder of files that can be made again: bounded, what was used least recently goes first."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def shrink(files: Iterable[Path], max_bytes: int) -> None:
    """Removes files, those with the oldest time of change first, until the rest fits."""
    found = []
    for path in files:
        with suppress(OSError):
            stat = path.stat()
            found.append((stat.st_mtime_ns, stat.st_size, path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= max_bytes:
            break
        with suppress(OSError):
            path.unlink()
        total -= size
