"""The ring buffer of one perf event (linux/perf_event.h, `struct perf_event_mmap_page`).

One page that holds the positions, then a power of two of pages of records. The kernel writes
`data_head`, we write `data_tail`; both only grow.
"""

import mmap
import struct
from types import TracebackType
from typing import Self

from collector.kernel import grace

_HEAD, _TAIL = 1024 // 8, 1032 // 8
_header = struct.Struct("=IHH")


class PerfRing:
    """The reader's side of an event's ring of `pages` pages, a power of two."""

    def __init__(self, fd: int, pages: int) -> None:
        page = mmap.PAGESIZE
        protection = mmap.PROT_READ | mmap.PROT_WRITE
        self._memory = mmap.mmap(fd, (1 + pages) * page, mmap.MAP_SHARED, protection)
        self._words = memoryview(self._memory)[:page].cast("Q")
        self._data = memoryview(self._memory)[page:]
        self._size = pages * page

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._words.release()
        self._data.release()
        self._memory.close()

    def read(self) -> list[tuple[int, int, bytes]]:
        """All records since the last call, as (type, misc, body)."""
        head, position = self._words[_HEAD], self._words[_TAIL]
        grace.fence()
        records = []
        while position < head:
            kind, misc, size = _header.unpack(self._bytes(position, _header.size))
            records.append((kind, misc, self._bytes(position + _header.size, size - _header.size)))
            position += size
        grace.fence()
        self._words[_TAIL] = position
        return records

    def _bytes(self, position: int, size: int) -> bytes:
        start = position % self._size
        first = bytes(self._data[start : start + size])
        return first + bytes(self._data[: size - len(first)])
