"""Samples that did not fit into the maps, read from the ring and added up as they come.

The ring is small and a drain is rare, so a thread empties the ring in between: it sleeps until the
first record comes, lets some more gather, and reads them all. Equal samples become one entry at
once, which bounds what they take.
"""

import ctypes
import os
import select
import threading
import time
from collections import Counter
from types import TracebackType
from typing import NamedTuple, Self

from collector.kernel import abi
from collector.kernel.ring import Ring

# Long enough that reading costs 1 % of a CPU at 2,000 samples a second, short enough that the
# default ring, of 500 samples, has room for 10 times as many meanwhile.
_GATHER_S = 0.02

_SIZE = ctypes.sizeof(abi.RawSample)
_USER, _KERNEL = abi.RawSample.user.offset, abi.RawSample.kernel.offset

Addresses = tuple[int, ...]


class Key(NamedTuple):
    """What makes samples equal. Addresses leaf first, `comm` without its padding; `truncated`
    as in RawSample."""

    tgid: int
    comm: bytes
    user: Addresses
    kernel: Addresses
    truncated: str


def key(tgid: int, comm: bytes, user: Addresses, kernel: Addresses, depth: int) -> Key:
    """The key of a sample whose stacks are walked down to `depth` frames."""
    # The kernel does not say whether it stopped; a stack of just this depth may be whole.
    truncated = "depth" if max(len(user), len(kernel)) >= depth else ""
    return Key(tgid, comm, user[:depth], kernel[:depth], truncated)


class RawSamples:
    """Reads `ring` from entry to exit. Stacks are cut to `depth`, as those in the maps are."""

    def __init__(self, ring: Ring, depth: int) -> None:
        self._ring = ring
        self._depth = depth
        self._lock = threading.Lock()
        # By set: the used bytes of a record, which are decoded once they are added up.
        self._pending: list[Counter[bytes]] = [Counter() for _ in range(abi.SETS)]

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

    def take(self, set_number: int) -> Counter[Key]:
        """The samples of a set to which no program writes any more."""
        with self._lock:
            self._add(self._ring.read_all())
            records = self._pending[set_number]
            self._pending[set_number] = Counter()
        samples = Counter[Key]()
        for record, count in records.items():
            samples[self._key(record)] += count
        return samples

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._ring.fd, select.POLLIN)
        poll.register(self._stop, select.POLLIN)
        while self._stop not in (fd for fd, _ in poll.poll()):
            time.sleep(_GATHER_S)
            with self._lock:
                self._add(self._ring.read())

    def _add(self, records: list[bytes]) -> None:
        for record in records:
            raw = abi.RawSample.from_buffer_copy(record)
            user = record[: _USER + max(raw.user_size, 0)]
            kernel = record[_KERNEL : _KERNEL + max(raw.kernel_size, 0)]
            self._pending[raw.set][user + kernel] += 1

    def _key(self, record: bytes) -> Key:
        raw = abi.RawSample.from_buffer_copy(record.ljust(_SIZE))
        end = _USER + max(raw.user_size, 0)
        user, kernel = addresses(record[_USER:end]), addresses(record[end:])
        return key(raw.tgid, raw.comm, user, kernel, self._depth)


def addresses(data: bytes) -> Addresses:
    """The addresses in an array of u64 that zeros follow."""
    length = -(-len(data.rstrip(b"\0")) // 8) * 8
    return tuple(memoryview(data[:length]).cast("Q"))
