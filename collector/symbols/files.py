"""Opening files that other processes have mapped, without trusting any of them.

What a process has mapped may be a named pipe that never answers, a device whose opening does
something, a file under a lease (opening waits up to 45 s for its holder), or one that was replaced
since. So a file is first only located (O_PATH opens nothing), then must be a regular file, and
only then is opened for reading, without waiting. Where the file system itself may not answer,
another thread does so (`answering`).
"""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from collector.kernel.syscalls import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2
from collector.processes.cache import Process
from collector.processes.maps import Mapping
from collector.symbols.answering import Answering, SilentError

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


def open_mapped(root: Path, process: Process, mapping: Mapping) -> int:
    """A descriptor of the file behind a mapping. Raises Unreadable.

    In order: the mapping itself (also of a file that was deleted or lies in another mount
    namespace; needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE), its path as the process sees it,
    its path as we see it, which may serve after the process has ended. A path must still lead to
    the inode that is mapped, and so must the mapping of what the process ran before.
    """
    try:
        fd = _ANSWERING.opened(mapping.device, partial(_open_mapped, root, process, mapping))
    except SilentError:
        raise Unreadable("file_system_silent") from None
    if fd is None:
        raise Unreadable("file_unreadable" if process.alive else "process_gone")
    return fd


_ANSWERING = Answering()
"""One for all who open mapped files: a file system that is silent is so for each of them."""


def _open_mapped(root: Path, process: Process, mapping: Mapping) -> int | None:
    where = os.fsencode(root / str(process.pid))
    range_ = where + b"/map_files/%x-%x" % (mapping.start, mapping.end)
    fd = open_regular(range_) if process.alive else open_regular(range_, _is(mapping))
    if fd is None and mapping.path.startswith(b"/"):
        fd = open_regular(where + b"/root" + mapping.path, _is(mapping))
        fd = open_regular(mapping.path, _is(mapping)) if fd is None else fd
    return fd


Accept = Callable[[os.stat_result], bool]


def open_regular(
    path: bytes,
    accept: Accept = lambda found: True,
    *,
    directory: int | None = None,
    follow: bool = True,
) -> int | None:
    """A descriptor for reading, if `path` leads to a regular file that is to be accepted."""
    link = 0 if follow else os.O_NOFOLLOW
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC | link, dir_fd=directory)
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return None
    return _opened(place, accept)


def open_inside(root: bytes, path: bytes, accept: Accept = lambda found: True) -> int | None:
    """The same for a path as a process with this root sees it: its links lead nowhere else.

    Before Linux 5.6 that cannot be asked for, and there is none.
    """
    try:
        directory = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        place = openat2(
            directory, path, os.O_PATH | os.O_CLOEXEC, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
        )
    except (OSError, ValueError):
        return None
    finally:
        os.close(directory)
    return _opened(place, accept)


def _opened(place: int, accept: Accept) -> int | None:
    """What was only located, which is closed, for reading."""
    try:
        found = os.fstat(place)
        if not stat.S_ISREG(found.st_mode) or not accept(found):
            return None
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        return os.open(f"/proc/self/fd/{place}", flags)
    except OSError:
        return None
    finally:
        os.close(place)


def identity(fd: int) -> Identity:
    """Raises Unreadable for a file that is larger than any that we read."""
    found = os.fstat(fd)
    if found.st_size > MAX_FILE_BYTES:
        raise Unreadable("file_too_large")
    return Identity(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_uid)


def _is(mapping: Mapping) -> Accept:
    """Whether a file is the one that is mapped. Overlay and btrfs show another device in stat
    (one with major 0) than in maps."""

    def accept(found: os.stat_result) -> bool:
        device = (os.major(found.st_dev), os.minor(found.st_dev))
        return found.st_ino == mapping.inode and (device == mapping.device or device[0] == 0)

    return accept
