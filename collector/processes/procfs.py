"""The one reader of other processes' files in /proc: bounded, and never raising.

A process may end between any two reads, or be another user's that we may not look at. Both are
ordinary: the answer is then `None`.
"""

import os
from pathlib import Path

from collector.processes.facts import Stat, Status, parse_stat, parse_status

MAX_MAPS_BYTES = 8 << 20
"""65,530 mappings (vm.max_map_count) of a usual length fit."""
_MAX_STATUS_BYTES = 16 << 10


class ProcFs:
    """Reads below `root`, which is /proc but for tests."""

    def __init__(self, root: Path = Path("/proc")) -> None:
        self.root = root

    def pids(self) -> list[int]:
        """Every process that runs now."""
        return [int(entry.name) for entry in self.root.iterdir() if entry.name.isdecimal()]

    def stat(self, pid: int) -> Stat | None:
        text = self._read(pid, "stat", _MAX_STATUS_BYTES)
        return None if text is None else parse_stat(text)

    def status(self, pid: int) -> Status | None:
        text = self._read(pid, "status", _MAX_STATUS_BYTES)
        return None if text is None else parse_status(text)

    def maps(self, pid: int) -> bytes | None:
        return self._read(pid, "maps", MAX_MAPS_BYTES)

    def cgroup(self, pid: int, limit: int) -> bytes | None:
        return self._read(pid, "cgroup", limit)

    def environment(self, pid: int, limit: int) -> bytes | None:
        """As it was when the program began; some programs write over it. The kernel reads it from
        the process's memory, but since 4.17 from no file that may keep us waiting."""
        return self._read(pid, "environ", limit)

    def command_line(self, pid: int, limit: int) -> bytes | None:
        """Arguments, each ended by a NUL."""
        return self._read(pid, "cmdline", limit)

    def executable(self, pid: int) -> bytes | None:
        """What /proc/PID/exe points to; kernel threads have none."""
        try:
            return os.fsencode((self.root / str(pid) / "exe").readlink())
        except OSError:
            return None

    def _read(self, pid: int, name: str, limit: int) -> bytes | None:
        return read_bounded(self.root / str(pid) / name, limit)


def read_bounded(path: Path, limit: int) -> bytes | None:
    """The first `limit` bytes of a file of the kernel's; None where it cannot be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return read_descriptor(fd, limit)
    except OSError:
        return None
    finally:
        os.close(fd)


def read_descriptor(fd: int, limit: int) -> bytes:
    """Up to `limit` bytes from where `fd` stands. /proc answers in pieces of a page or so."""
    pieces: list[bytes] = []
    while limit > 0 and (piece := os.read(fd, min(limit, 1 << 20))):
        pieces.append(piece)
        limit -= len(piece)
    return b"".join(pieces)
