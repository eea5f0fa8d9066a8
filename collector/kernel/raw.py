"""Samples that came through the ring, read from it and added up.

They wait in the ring for the drain. Where it fills before, the programs wake a thread that empties
it, a while later so that more is read at once. Equal samples become one entry at once, which bounds
what they take.
"""

import ctypes
import os
import select
import struct
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Any, NamedTuple, Self

from collector.kernel import abi
from collector.kernel.ring import Ring
from collector.unwind import abi as unwind
from collector.unwind.abi import Cause
from collector.unwind.later import SavedStack

# The three quarters of the smaller default ring that are left at a wakeup hold 375 samples: with
# three times the 2,000 a second that 20 CPUs take at 99 Hz, it does not fill meanwhile.
_GATHER_S = 0.05

_HEAD = ctypes.sizeof(abi.RawSample)
_TIME: Any = abi.RawSample.time_ns  # ctypes' descriptions of the fields
_VALUE: Any = abi.RawSample.value
_OWN_END = _VALUE.offset + _VALUE.size
MAX_SAVED_BYTES = 32 << 20
"""Saved stacks of a drain: 3,000 of 10 KiB, those of the first 15 s of two busy CPUs at 99 Hz."""

Addresses = tuple[int, ...]


class Record(NamedTuple):
    """A sample that came through the ring; `user` and `kernel` leaf first. Where the kernel's
    stack has an id, `kernel` is empty; `saved` is a struct unwind_saved that is still to walk.
    `time_ns` is that of the first of equal ones, on the monotonic clock; 0: not told."""

    tgid: int
    comm: bytes
    time_ns: int
    exec_id: int
    user_stack: int
    kernel_stack: int
    cause: Cause
    user: Addresses
    kernel: Addresses
    saved: SavedStack


_CAUSES = {cause.value: cause for cause in Cause}


def parse(record: bytes, time_ns: int) -> Record:
    """A struct raw_sample as it was sent."""
    raw = abi.RawSample.from_buffer_copy(record)
    saved = memoryview(record)[_HEAD : _HEAD + raw.saved_size]
    user = () if saved else addresses(record[_HEAD : _HEAD + max(raw.user_size, 0)])
    at, size = _HEAD + 8 * raw.kernel_at, raw.kernel_size
    kernel = addresses(record[at : at + size]) if size > 0 and not saved else ()
    ids = raw.exec_id, raw.user_stack, raw.kernel_stack
    return Record(raw.tgid, raw.comm, time_ns, *ids, _CAUSES[raw.cause], user, kernel, saved)


class RawSamples:
    """Reads `ring` from entry to exit."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._lock = threading.Lock()
        # By set: the records themselves, which are decoded once they are added up.
        self._pending: list[Counter[bytes]] = [Counter() for _ in range(abi.SETS)]
        self._values: list[Counter[bytes]] = [Counter() for _ in range(abi.SETS)]
        self._times_ns: list[dict[bytes, int]] = [{} for _ in range(abi.SETS)]
        self._saved_bytes = [0] * abi.SETS

    def __enter__(self) -> Self:
        self._stop = os.eventfd(0, os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="raw-samples", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.eventfd_write(self._stop, 1)
        self._thread.join()
        os.close(self._stop)

    def take(self, set_number: int) -> list[tuple[Record, int, int]]:
        """The samples of a set to which no program writes any more: each with its count, and the
        sum of its values."""
        with self._lock:
            self._add(self._ring.read_all())
            records, values = self._pending[set_number], self._values[set_number]
            times_ns = self._times_ns[set_number]
            self._pending[set_number], self._times_ns[set_number] = Counter(), {}
            self._values[set_number] = Counter()
            self._saved_bytes[set_number] = 0
        return [
            (parse(record, times_ns[record]), count, values[record])
            for record, count in records.items()
        ]

    def _run(self) -> None:
        with select.epoll() as poll:
            # Told of wakeups alone (EPOLLET): a ring with unread records is always ready.
            poll.register(self._ring.fd, select.EPOLLIN | select.EPOLLET)
            poll.register(self._stop, select.EPOLLIN)
            while self._stop not in dict(poll.poll()):
                time.sleep(_GATHER_S)
                with self._lock:
                    self._add(self._ring.read())

    def _add(self, records: list[bytes]) -> None:
        for record in records:
            raw = abi.RawSample.from_buffer_copy(record)
            if raw.saved_size:
                self._saved_bytes[raw.set] += raw.saved_size
                if self._saved_bytes[raw.set] > MAX_SAVED_BYTES:
                    record = _without_stack(record)
            else:
                used = max(raw.user_size, 0), 8 * raw.kernel_at + max(raw.kernel_size, 0)
                record = record[: _HEAD + max(used)]
            record = _without_own(record)
            self._pending[raw.set][record] += 1
            self._values[raw.set][record] += raw.value
            self._times_ns[raw.set].setdefault(record, raw.time_ns)


def _without_own(record: bytes) -> bytes:
    """Without time and value, which stand side by side: so that equal samples are equal records."""
    return record[: _TIME.offset] + bytes(_TIME.size + _VALUE.size) + record[_OWN_END:]


def _without_stack(record: bytes) -> bytes:
    """A record whose saved stack there is no room for: the registers alone."""
    return record[: _HEAD + unwind.SAVED.itemsize]


def addresses(data: bytes) -> Addresses:
    """The addresses in an array of u64 that zeros follow."""
    length = -(-len(data.rstrip(b"\0")) // 8) * 8
    return struct.unpack(f"={length // 8}Q", data[:length])
