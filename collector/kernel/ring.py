"""A reader of the BPF ring buffer (BPF_MAP_TYPE_RINGBUF, Linux 5.8), through mmap alone.

The map's descriptor offers a page with the consumer's position, which we write, a page with the
producer's position, and the data twice in a row, so that no record is cut at the end. Each page
that is mapped weighs on us, so the data are mapped once, and such a record is joined here.
A record is a header, u32 length (bit 31: still being written, bit 30: discarded) and u32 of the
kernel's own, then the data, rounded up to 8 bytes. Layout: Documentation/bpf/ringbuf.rst.
"""

import mmap
import os
import time
from types import TracebackType
from typing import Self

from collector.kernel import grace
from collector.kernel.maps import RINGBUF, Shape, create

_BUSY = 1 << 31
_DISCARDED = 1 << 30
_HEADER = 8


def supported() -> bool:
    """Whether the kernel has ring buffers; a refusal for lack of privileges is not a no."""
    try:
        fd = create(Shape(type=RINGBUF, key_size=0, value_size=0, max_entries=mmap.PAGESIZE))
    except PermissionError:
        return True
    except OSError:
        return False
    os.close(fd)
    return True


class Ring:
    """The consumer's side of one ring buffer of `size` bytes. `fd` can be polled for records."""

    def __init__(self, fd: int, size: int) -> None:
        self.fd = fd
        page = mmap.PAGESIZE
        self._size = size
        self._consumer = mmap.mmap(fd, page, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._producer = mmap.mmap(fd, page + size, mmap.MAP_SHARED, mmap.PROT_READ, offset=page)
        # Views of whole words: the kernel writes the positions at once, so must we.
        self._consumed = memoryview(self._consumer).cast("Q")
        self._produced = memoryview(self._producer)[:page].cast("Q")
        self._words = memoryview(self._producer)[page:].cast("I")
        self._data = memoryview(self._producer)[page:]

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
        for view in (self._consumed, self._produced, self._words, self._data):
            view.release()
        self._consumer.close()
        self._producer.close()

    def read_all(self) -> list[bytes]:
        """Every record begun before this call, waiting for those that are still being written."""
        end = self._produced[0]
        records = self.read()
        while self._consumed[0] < end:
            time.sleep(0)  # a program takes microseconds to fill a record
            records += self.read()
        return records

    def read(self) -> list[bytes]:
        """The records that are complete, up to the first that is still being written.

        It looks again once it has given back their room: who writes a record behind others that
        nobody has read yet wakes nobody."""
        records: list[bytes] = []
        while self._consumed[0] < (end := self._produced[0]):
            grace.fence()  # headers only after the position that promises them
            spans, position = self._complete(self._consumed[0], end)
            if position == self._consumed[0]:
                break
            grace.fence()  # data only after the header that promises it
            records += [self._record(start, stop) for start, stop in spans]
            grace.fence()  # the room is given back only after it was read
            self._consumed[0] = position
        return records

    def _record(self, start: int, stop: int) -> bytes:
        """`stop` lies behind the end of the data where the record goes on at their beginning."""
        data = bytes(self._data[start:stop])
        return data if stop <= self._size else data + bytes(self._data[: stop - self._size])

    def _complete(self, position: int, end: int) -> tuple[list[tuple[int, int]], int]:
        spans = []
        while position < end:
            start = position % self._size
            header = self._words[start // 4]
            if header & _BUSY:
                break
            length = header & ~_DISCARDED
            if not header & _DISCARDED:
                spans.append((start + _HEADER, start + _HEADER + length))
            position += (_HEADER + length + 7) & ~7
        return spans, position
