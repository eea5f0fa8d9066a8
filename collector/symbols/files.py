"""Opening files that other processes have mapped, without trusting any of them.

What a process has mapped may be a named pipe that never answers, a device whose opening does
something, a file under a lease (opening waits up to 45 s for its holder), or one that was replaced
since. So a file is first only located (O_PATH opens nothing), then must be a regular file, and
only then is opened for reading, without waiting.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from collector.processes.cache import Process
from collector.processes.maps import Mapping

MAX_FILE_BYTES = 2 << 30


class Unreadable(Exception):
    """A file that is not read; `cause` is the name of its counter."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Identity:
    """What a file is, as far as the file system says; another one differs in some field."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    owner: int


@contextmanager
def open_mapped(root: Path, process: Process, mapping: Mapping) -> Iterator[tuple[int, Identity]]:
    """A descriptor of the file behind a mapping, and its identity. Raises Unreadable.

    In order: the mapping itself (also of a file that was deleted or lies in another mount
    namespace; needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE), its path as the process sees it,
    its path as we see it, which may serve after the process has ended. A path must still lead to
    the inode that is mapped.
    """
    where = root / str(process.pid)
    exact = os.fsencode(where / "map_files" / f"{mapping.start:x}-{mapping.end:x}")
    fd = _opened(exact, None)
    if fd is None and mapping.path.startswith(b"/"):
        fd = _opened(os.fsencode(where / "root") + mapping.path, mapping)
        fd = _opened(mapping.path, mapping) if fd is None else fd
    if fd is None:
        raise Unreadable("file_gone" if not process.alive else "file_unreadable")
    try:
        yield fd, _identity(fd)
    finally:
        os.close(fd)


@contextmanager
def open_regular(path: bytes) -> Iterator[tuple[int, Identity]]:
    """A descriptor of a regular file and its identity. Raises Unreadable."""
    fd = _opened(path, None)
    if fd is None:
        raise Unreadable("file_unreadable")
    try:
        yield fd, _identity(fd)
    finally:
        os.close(fd)


def _identity(fd: int) -> Identity:
    found = os.fstat(fd)
    if found.st_size > MAX_FILE_BYTES:
        raise Unreadable("file_too_large")
    return Identity(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_uid)


def _opened(path: bytes, mapping: Mapping | None) -> int | None:
    """A descriptor for reading, if there is a regular file (that of `mapping`, if given)."""
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    try:
        found = os.fstat(place)
        if not stat.S_ISREG(found.st_mode) or (mapping and not _same(found, mapping)):
            return None
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        return os.open(f"/proc/self/fd/{place}", flags)
    except OSError:
        return None
    finally:
        os.close(place)


def _same(found: os.stat_result, mapping: Mapping) -> bool:
    """Overlay and btrfs show another device in stat (one with major 0) than in maps."""
    device = (os.major(found.st_dev), os.minor(found.st_dev))
    return found.st_ino == mapping.inode and (device == mapping.device or device[0] == 0)
