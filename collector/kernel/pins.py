"""Counters of kernel programs that outlive the collector: held by files of the BPF file system.

Programs and maps end with the process that loaded them, and perf events too. A map that is pinned
stays as the last sample left it until its file goes, at the latest with the kernel. So what a
collector that is killed had taken is still known to the sample, though not the samples.

    pins = Pins.of(Path("/var/lib/profiler/spool"), PINS)
    ids = pins.hold([fd])
    pins.counted(ids)
"""

import ctypes
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from ctypes import sizeof
from pathlib import Path
from typing import Self

from collector.kernel import abi, cpus, grace, maps, syscalls
from collector.kernel.sets import map_of, samples_of, total
from profiler.errors import ProfilerError

PINS = Path("/sys/fs/bpf/profiler")
"""Where systemd and Kubernetes' nodes have that file system; nobody mounts it for us."""


class _Object(ctypes.Structure):
    _fields_ = (("path", ctypes.c_char_p), ("fd", ctypes.c_uint32), ("flags", ctypes.c_uint32))


class _Info(ctypes.Structure):
    _fields_ = (("fd", ctypes.c_uint32), ("size", ctypes.c_uint32), ("info", ctypes.c_void_p))


class Pins:
    """The maps held in `folder`, which is ours alone; each is called by its number in the kernel,
    which no other map gets before the machine is started anew."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def of(cls, directory: Path, root: Path) -> Self:
        """Those of the collector that has `directory`: the file's number tells containers apart in
        which it has the same name."""
        found = directory.stat()
        return cls(root / f"{found.st_dev:x}-{found.st_ino:x}")

    def hold(self, fds: Iterable[int]) -> tuple[int, ...]:
        """Holds these maps `counters` in place of others; their numbers. Raises OSError, and then
        holds none."""
        self.clear()
        try:
            for folder in (self._folder.parent, self._folder):
                folder.mkdir(mode=0o700, exist_ok=True)
            return tuple([self._pin(fd) for fd in fds])
        except OSError:
            self.clear()
            raise

    def counted(self, ids: Sequence[int]) -> Counter[str] | None:
        """The samples that the programs of these maps counted up to their end, in both sets: taken,
        and lost by cause. None where one is not held, or is not as this version knows it."""
        grace.wait()  # a program may still be at work on another CPU
        try:
            return sum(map(self._count, ids), Counter[str]()) if ids else None
        except (OSError, ProfilerError):
            return None

    def clear(self) -> None:
        with suppress(OSError):
            for path in self._folder.iterdir():
                path.unlink(missing_ok=True)
            self._folder.rmdir()

    def _pin(self, fd: int) -> int:
        number = _number(fd)
        syscalls.bpf(maps.OBJ_PIN, _Object(self._path(number), fd))
        return number

    def _count(self, number: int) -> Counter[str]:
        fd = syscalls.bpf(maps.OBJ_GET, _Object(self._path(number)))
        try:
            sizes = 4, sizeof(abi.Counters), cpus.possible()
            counters = map_of({abi.COUNTERS: fd}, abi.COUNTERS, *sizes)
            return samples_of(total(counters, set_) for set_ in range(abi.SETS))
        finally:
            os.close(fd)

    def _path(self, number: int) -> bytes:
        return os.fsencode(self._folder / str(number))


def problem(root: Path = PINS) -> str:
    """Why no map can be held below `root`; "" where one can."""
    pins = Pins(root / f"check-{os.getpid()}")
    try:
        fd = maps.create(maps.Shape(maps.ARRAY, key_size=4, value_size=4, max_entries=1))
    except OSError as error:
        return str(error)
    try:
        pins.hold([fd])
    except OSError as error:
        return str(error)
    finally:
        os.close(fd)
    pins.clear()
    return ""


def _number(fd: int) -> int:
    """A map's: the second field of struct bpf_map_info, of which the kernel fills what is asked."""
    info = (ctypes.c_uint32 * 2)()
    syscalls.bpf(maps.OBJ_INFO, _Info(fd, sizeof(info), ctypes.addressof(info)))
    return info[1]
