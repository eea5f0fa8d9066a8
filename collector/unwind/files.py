"""Which table numbers the windows of a file have.

A number stands in the kernel's mappings long before there are rows for it. A file that no process
maps any more keeps its numbers, so that a program that is started again and again is read once,
until numbers run short.
"""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from collector.processes.maps import Mapping
from collector.unwind.slices import Slices

Stamp = tuple[int, int, int, int]


@dataclass(eq=False, slots=True)
class File:
    """A mapped file, or the vdso, by device and inode. `users` counts the parts of mappings that
    need it; `stamp` is what stat said of it when it was read; `failure` why it has no rows."""

    key: tuple[int, int, int]
    numbers: dict[int, int] = field(default_factory=dict)
    users: int = 0
    stamp: Stamp | None = None
    failure: str = ""
    pending: set[int] = field(default_factory=set)
    """Windows whose rows are asked for."""


def stamp(found: os.stat_result) -> Stamp:
    """Differs for a file that was written to, or took over the inode of another."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class Files:
    """Hands out the numbers 1 to `capacity` - 1."""

    def __init__(
        self, capacity: int, wait: Callable[[], object], drop: Callable[[int], None]
    ) -> None:
        """`drop(number)` frees a table; `wait` returns when no program can still use it."""
        self._numbers = Slices(capacity, wait)
        self._numbers.take(1)  # 0 is "no file"
        self._drop = drop
        self._files: OrderedDict[tuple[int, int, int], File] = OrderedDict()
        self._by_number: dict[int, tuple[File, int]] = {}

    def __len__(self) -> int:
        return len(self._files)

    def of(self, pid: int, mapping: Mapping) -> File | None:
        """The file of a mapping, None for memory without one."""
        if mapping.anonymous and not mapping.vdso:
            return None
        key = (*mapping.device, mapping.inode)
        file = self._files.get(key)
        if file and not file.users and file.stamp and file.stamp != _stamp_of(pid, mapping):
            self._forget(file)
            file = None
        if file is None:
            file = self._files[key] = File(key)
        self._files.move_to_end(key)
        return file

    def number(self, file: File, window: int) -> int:
        """The table of a window; 0 where there is none left. Counts as a use of the file."""
        if window not in file.numbers:
            taken = self._numbers.take(1)
            if taken is None and self._recycle():
                taken = self._numbers.take(1)
            if taken is None:
                return 0
            file.numbers[window] = taken
            self._by_number[taken] = (file, window)
        file.users += 1
        return file.numbers[window]

    def release(self, numbers: Iterable[int]) -> None:
        """Parts of mappings less that need these tables."""
        for number in numbers:
            if number:
                self._by_number[number][0].users -= 1

    def find(self, number: int) -> tuple[File, int] | None:
        """The file and the window of a table."""
        return self._by_number.get(number)

    def _recycle(self) -> bool:
        """Forgets the half of the unused files that were mapped least recently."""
        unused = [file for file in self._files.values() if not file.users]
        for file in unused[: len(unused) // 2 + 1]:
            self._forget(file)
        return bool(unused)

    def _forget(self, file: File) -> None:
        del self._files[file.key]
        for number in file.numbers.values():
            del self._by_number[number]
            self._drop(number)
            self._numbers.give_back(number, 1)
        file.numbers.clear()


def _stamp_of(pid: int, mapping: Mapping) -> Stamp | None:
    with suppress(OSError):
        return stamp(Path(f"/proc/{pid}/map_files/{mapping.start:x}-{mapping.end:x}").stat())
    return None
