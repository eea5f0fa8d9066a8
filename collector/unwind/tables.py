"""The tables in the kernel: one map of pages for each window of a file that was asked for.

Which table a window has is fixed when a process maps it; its rows come when a stack first ends
for want of them. What is loaded is bounded in bytes: beyond it the table that was loaded first
goes, and comes back if it is wanted again.

    page 0: the first word of every other page · page 1: 512 rows · page 2: 512 rows …
"""

import os
from collections import OrderedDict
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from collector.kernel import maps
from collector.unwind import abi, bpf_maps

MAX_BYTES = 96 << 20
"""Kernel memory for rows: 12 million of them. Node, libLLVM and Chromium together have 1.2 million;
the 300 libraries of a desktop some 6 million."""

_UNUSED = np.uint64(2**64 - 1)


class Tables:
    """Puts rows into the map of maps `fd`, up to `max_bytes`. The number in the map `epoch_fd`
    changes with every table that is changed, so that the kernel forgets what it found there."""

    def __init__(self, fd: int, epoch_fd: int, max_bytes: int = MAX_BYTES) -> None:
        self._fd = fd
        self._epoch = maps.Map(epoch_fd)
        self._changes = 0
        self._max_bytes = max_bytes
        self._loaded: OrderedDict[int, int] = OrderedDict()
        self.bytes = 0
        self.evicted = 0

    def __contains__(self, number: int) -> bool:
        return number in self._loaded

    def __len__(self) -> int:
        return len(self._loaded)

    def load(self, windows: Mapping[int, NDArray[np.uint64]]) -> None:
        """Makes rows the tables of these numbers. Raises OSError where the kernel has no memory.

        All at once, since each change of a map of maps waits 10 to 30 ms for running programs.
        """
        data = {number: pages(rows) for number, rows in windows.items()}
        made: list[int] = []
        try:
            made += map(_create, data.values())
            bpf_maps.update_many(
                self._fd, np.array(list(data), np.uint32), np.array(made, np.uint32)
            )
        finally:
            for fd in made:
                os.close(fd)
        if any([self._forget(number) for number in data]):
            self._begin_epoch()
        for number, contents in data.items():
            self._loaded[number] = len(contents)
            self.bytes += len(contents)
        while self.bytes > self._max_bytes and len(self._loaded) > 1:
            self.drop(next(iter(self._loaded)))
            self.evicted += 1

    def drop(self, number: int) -> None:
        """Frees a table; stacks that need it end there and ask for it again."""
        if self._forget(number):
            bpf_maps.delete(self._fd, number.to_bytes(4, "little"))
            self._begin_epoch()

    def _begin_epoch(self) -> None:
        self._changes += 1
        self._epoch.update(bytes(4), (self._changes & 0xFFFFFFFF).to_bytes(4, "little"))

    def _forget(self, number: int) -> bool:
        size = self._loaded.pop(number, None)
        self.bytes -= size or 0
        return size is not None


def pages(rows: NDArray[np.uint64]) -> bytes:
    """The index page and the pages of rows, as union unwind_page lays them out."""
    count = -(-len(rows) // abi.PAGE_ROWS)
    padded = np.full(count * abi.PAGE_ROWS, _UNUSED)
    padded[: len(rows)] = rows
    index = np.full(abi.INDEX_SIZE, 2**32 - 1, np.uint32)
    index[:count] = padded[:: abi.PAGE_ROWS].astype(np.uint32)
    return index.tobytes() + padded.tobytes()


def _create(data: bytes) -> int:
    """The descriptor of a new map with these pages."""
    count = len(data) // abi.PAGE_BYTES
    fd = bpf_maps.create_array(abi.PAGE_BYTES, count)
    page = maps.Map(fd)
    for number in range(count):
        start = number * abi.PAGE_BYTES
        page.update(number.to_bytes(4, "little"), data[start : start + abi.PAGE_BYTES])
    return fd
