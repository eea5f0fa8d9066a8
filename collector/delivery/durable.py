"""Files that are whole or not there, whatever happens to the process or the machine."""

import os
from pathlib import Path

SUFFIX = ".tmp"
"""Of what was being written; a leftover of a killed process means nothing and may be deleted."""


def replace(path: Path, data: bytes) -> None:
    """Makes `data` the content of `path`, at once and to stay; raises OSError, leaving `path`."""
    temporary = path.with_name(path.name + SUFFIX)
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    """Without it a power cut can take back the rename, though not the file."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
