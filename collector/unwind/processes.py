"""What the kernel knows of processes: for each, its mappings by address, each with its table.

A mapping of a file is cut where a window of the file ends, so that each part needs one table:

    7f1c02e00000-7f1c05600000 r-xp 00a00000 libLLVM  →  6 MiB of window 0, 16 of 1, 16 of 2 …
"""

import mmap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.kernel import grace, maps
from collector.processes.maps import Mapping
from collector.unwind import abi, bpf_maps
from collector.unwind.slices import Slices

WINDOW = 1 << abi.WINDOW_BITS
MAX_USER_ADDRESS = 1 << 63


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a mapping in one window of its file, which begins at `at` of the window."""

    start: int
    end: int
    window: int
    at: int


def parts(mapping: Mapping) -> Iterator[Part]:
    """A mapping, cut where the windows of its file end. The old vsyscall page, the only one among
    the kernel's addresses, has none: nothing runs in it, and the kernel's search relies on it."""
    start, offset = mapping.start, mapping.offset
    while start < mapping.end <= MAX_USER_ADDRESS:
        window, at = divmod(offset, WINDOW)
        end = min(mapping.end, start + WINDOW - at)
        yield Part(start, end, window, at)
        offset += end - start
        start = end


@dataclass(slots=True)
class _Slice:
    """Entries of the kernel's array that `users` processes share: a child has its parent's."""

    first: int
    count: int
    tables: tuple[int, ...]
    users: int = 1


class Processes:
    """Fills the maps `unwind_processes` and `unwind_mappings`, given by descriptor. `capacity` is
    that of mappings, of all processes together."""

    def __init__(
        self, processes_fd: int, mappings_fd: int, release: Callable[[Sequence[int]], None]
    ) -> None:
        """`release(tables)` tells which tables one slice less needs."""
        self._release = release
        self._fd = processes_fd
        self._map = maps.Map(processes_fd)
        self.capacity = capacity = maps.shape_of(mappings_fd).max_entries
        size = -(-capacity * abi.MAPPING.itemsize // mmap.PAGESIZE) * mmap.PAGESIZE
        self._memory = mmap.mmap(mappings_fd, size)
        self._entries = np.frombuffer(self._memory, abi.MAPPING, capacity)
        self._slices = Slices(capacity, grace.wait)
        self._known: dict[int, _Slice] = {}

    def close(self) -> None:
        del self._entries
        self._memory.close()

    def __len__(self) -> int:
        return len(self._known)

    def set(self, pid: int, entries: NDArray[np.void]) -> bool:
        """Makes these, sorted by address, the mappings of a process; False where none fit."""
        tables = tuple(entries["table"].tolist())
        first = self._slices.take(len(entries)) if len(entries) else 0
        if first is None:
            self._release(tables)
            return False
        self._entries[first : first + len(entries)] = entries
        return self._point(pid, _Slice(first, len(entries), tables))

    def copy(self, pid: int, parent: int) -> bool:
        """A process begins with the mappings of its parent; False where those are not known."""
        shared = self._known.get(parent)
        if shared is None:
            return False
        shared.users += 1
        return self._point(pid, shared)

    def remove(self, pid: int) -> None:
        slice_ = self._known.pop(pid, None)
        if slice_ is not None:
            bpf_maps.delete(self._fd, _key(pid))
            self._give_back(slice_)

    def _point(self, pid: int, slice_: _Slice) -> bool:
        value = np.array((slice_.first, slice_.count), abi.PROCESS).tobytes()
        try:
            self._map.update(_key(pid), value)
        except OSError:  # E2BIG: the map of processes is full
            self._give_back(slice_)
            return False
        before = self._known.get(pid)
        self._known[pid] = slice_
        if before is not None:
            self._give_back(before)
        return True

    def _give_back(self, slice_: _Slice) -> None:
        slice_.users -= 1
        if not slice_.users:
            self._release(slice_.tables)
            self._slices.give_back(slice_.first, slice_.count)


def _key(pid: int) -> bytes:
    return pid.to_bytes(4, "little")


def entries(parts: Sequence[tuple[Part, int]]) -> NDArray[np.void]:
    """The kernel's form of parts and their tables (0: no file)."""
    ordered = sorted((part.start, part.end, table, part.at) for part, table in parts)
    return np.array(ordered, abi.MAPPING)
