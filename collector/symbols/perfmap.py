"""Names of just-in-time compiled functions, from /tmp/perf-PID.map.

    7f1c5a0a3b40 1e8 LazyCompile:*fib /srv/app.js:3

A line is a start, a size (both hexadecimal, with 0x from some JVMs) and a name, appended as the
runtime compiles (tools/perf/Documentation/jit-interface.txt in the Linux sources; written by
`node --perf-basic-prof`, `jcmd PID Compiler.perfmap`, `python -X perf`). Code moves, so a later
line overrides an earlier one at the same start.
"""

import os
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from collector.processes.bounded import Bounded
from collector.processes.cache import Process
from collector.processes.procfs import ProcFs, read_descriptor
from collector.symbols.columns import hexadecimal, line_starts
from collector.symbols.files import open_regular

MAX_FILE_BYTES = 32 << 20
MAX_TOTAL_BYTES = 128 << 20
"""Of all processes' maps in memory; the least recently used go first."""

SEAM_BYTES = 256
"""A method that is compiled moves all that come after it by its line."""

_SPACE, _NEWLINE = ord(" "), b"\n"


def _numbers() -> NDArray[np.uint64]:
    return np.zeros(0, dtype=np.uint64)


def _places() -> NDArray[np.int64]:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class PerfMap:
    """Functions by start; `text` is the whole file as far as it was read."""

    text: bytes = b""
    starts: NDArray[np.uint64] = field(default_factory=_numbers)
    sizes: NDArray[np.uint64] = field(default_factory=_numbers)
    names: NDArray[np.int64] = field(default_factory=_places)

    def lookup(self, address: int) -> str | None:
        """The name of the function that holds a runtime address."""
        if not 0 <= address < 1 << 64:
            return None
        index = int(np.searchsorted(self.starts, np.uint64(address), side="right")) - 1
        if index < 0 or address - int(self.starts[index]) >= int(self.sizes[index]):
            return None
        begin = int(self.names[index])
        return self.text[begin : self.text.index(_NEWLINE, begin)].decode("utf-8", "replace")

    def extended(self, tail: bytes) -> "PerfMap":
        """With the lines of `tail`; one that is not complete waits for the rest of it."""
        parsed_to = self.text.rfind(_NEWLINE) + 1
        text = self.text + tail
        starts, sizes, names = _parse(text, parsed_to)
        starts = np.concatenate([self.starts, starts])
        sizes = np.concatenate([self.sizes, sizes])
        names = np.concatenate([self.names, names])
        order = np.lexsort((names, starts))  # the latest of equal starts comes last
        last = np.concatenate([np.diff(starts[order]) != 0, np.ones(min(1, len(order)), bool)])
        kept = order[last]
        return PerfMap(text, starts[kept], sizes[kept], names[kept])


def _parse(
    text: bytes, begin: int
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.int64]]:
    """(starts, sizes, where the names begin) of the lines from `begin` on; others are left out."""
    letters = np.frombuffer(text, dtype=np.uint8)[begin:]
    bounds = line_starts(letters)
    lines, ends = bounds[:-1], bounds[1:] - 1
    spaces = np.append(np.flatnonzero(letters == _SPACE), [len(letters)] * 2)
    first = np.searchsorted(spaces, lines)
    lines, ends, first = (column[first + 1 < len(spaces)] for column in (lines, ends, first))
    one, two = spaces[first], spaces[first + 1]
    starts, start_valid = hexadecimal(letters, lines, np.minimum(one, ends))
    sizes, size_valid = hexadecimal(letters, one + 1, np.minimum(two, ends))
    valid = start_valid & size_valid & (two < ends)
    return starts[valid], sizes[valid], two[valid] + 1 + begin


@dataclass(frozen=True, slots=True)
class _Read:
    """A map and the file it was read from, which the runtime may replace."""

    file: tuple[int, int]
    map: PerfMap


class PerfMaps:
    """The maps of all processes, read on as they grow."""

    def __init__(self, proc: ProcFs) -> None:
        self._proc = proc
        self._read: Bounded[tuple[int, int], _Read] = Bounded(
            MAX_TOTAL_BYTES, lambda read: 1024 + 2 * len(read.map.text)
        )

    def load(self, process: Process) -> PerfMap:
        """The map of a process as it is now, or as it was last read; empty where it has none."""
        key = (process.pid, process.start_ticks)
        known = self._read.get(key)
        fd = self._open(process) if process.alive else None
        if fd is not None:
            try:
                known = self._read[key] = _read_on(fd, known)
            except OSError:
                pass  # what was read before still holds
            finally:
                os.close(fd)
        return known.map if known else PerfMap()

    def _open(self, process: Process) -> int | None:
        """The file in the process's own /tmp, under the pid that it has in its own namespace.

        /tmp is everyone's to write: the file must be root's or the process's, and no step behind
        the process's root may be a link, which would lead out into ours.
        """
        status = self._proc.status(process.pid)
        if status is None:
            return None
        try:
            flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            directory = os.open(self._proc.root / str(process.pid) / "root/tmp", flags)
        except OSError:
            return None
        try:
            name = b"perf-%d.map" % status.namespace_pid
            owners = (0, status.uid)
            return open_regular(
                name, lambda found: found.st_uid in owners, directory=directory, follow=False
            )
        finally:
            os.close(directory)


def _read_on(fd: int, known: _Read | None) -> _Read:
    """What the file has gained; all of it where it is another file than before, or was written
    anew: `jcmd PID Compiler.perfmap` writes the same file each time."""
    found = os.fstat(fd)
    file = (found.st_dev, found.st_ino)
    if known is None or known.file != file or not _continues(fd, known.map.text):
        known = _Read(file, PerfMap())
    done = len(known.map.text)
    room = min(found.st_size, MAX_FILE_BYTES) - done
    if room <= 0:
        return known
    os.lseek(fd, done, os.SEEK_SET)
    return _Read(file, known.map.extended(read_descriptor(fd, room)))


def _continues(fd: int, text: bytes) -> bool:
    """Whether a file still has, where it was read to, what it had there."""
    end = text[-SEAM_BYTES:]
    return os.pread(fd, len(end), len(text) - len(end)) == end
