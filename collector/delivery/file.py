"""Writes drains to a recording, which `profiler collect --recorded` replays."""

import sys
import uuid
from pathlib import Path
from typing import IO

from profiler import wire
from profiler.errors import UsageError
from profiler.model import Drain


class FileExporter:
    """An Exporter to a new recording at `path`, or to stdout where that is `-`."""

    def __init__(self, path: str) -> None:
        """Raises UsageError where the file cannot be written."""
        self._file = _open(path)
        self._collector_id = uuid.uuid4().bytes
        self._sequence = 0

    def export(self, drain: Drain) -> None:
        self._sequence += 1
        wire.write_batch(self._file, wire.encode(drain, self._collector_id, self._sequence))
        self._file.flush()

    def close(self) -> None:
        if self._file is not sys.stdout.buffer:
            self._file.close()


def _open(path: str) -> IO[bytes]:
    if path == "-":
        return sys.stdout.buffer
    try:
        return Path(path).open("wb")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
