"""The memory of another process, read without stopping it.

    with open_memory(pid) as memory:
        memory.word(address)

What is read may change or vanish between any two reads, so each read says if it failed.
"""

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ReadAt = Callable[[int, int], bytes]
"""`read(address, size)` is up to `size` bytes; fewer where the rest cannot be read."""

MAX_ADDRESS = 1 << 56
"""User space ends there at the latest, with five levels of page tables."""
MAX_READ = 1 << 20
MAX_READS = 10_000
"""Some 30 ms. An interpreter with 64 threads is checked in 3,000."""

_WORD = struct.Struct("<Q")


class Refused(Exception):
    """Why Python frames cannot be had; `cause` is the name of its counter, `detail` for people."""

    def __init__(self, cause: str, detail: str = "") -> None:
        super().__init__(f"{cause}: {detail}" if detail else cause)
        self.cause = cause
        self.detail = detail


class Unread(Exception):
    """Memory that cannot be read, or holds what cannot be meant."""


class Memory:
    """Whole values at addresses; each raises Unread where there is none, and all do after that
    many `reads`: a process may make up lists without an end."""

    def __init__(self, read: ReadAt, reads: int = MAX_READS) -> None:
        self._read = read
        self._left = reads

    def exactly(self, address: int, size: int) -> bytes:
        data = self.some(address, size)
        if len(data) != size:
            raise Unread(f"{len(data)} of {size} bytes at {address:#x}")
        return data

    def some(self, address: int, size: int) -> bytes:
        """Up to `size` bytes: as many as are mapped."""
        self._left -= 1
        if not (0 <= size <= MAX_READ and self._left >= 0):
            raise Unread(f"{size} bytes at {address:#x}")
        return self._read(address, size) if 0 < address < MAX_ADDRESS else b""

    def word(self, address: int) -> int:
        """The unsigned 64-bit number at an address."""
        number: int = _WORD.unpack(self.exactly(address, _WORD.size))[0]
        return number


@contextmanager
def open_memory(pid: int, proc: Path = Path("/proc"), reads: int = MAX_READS) -> Iterator[Memory]:
    """The memory that the process has now; a later exec does not change what is read.

    Raises Refused where the process is gone or may not be looked at (CAP_SYS_PTRACE).
    """
    try:
        fd = os.open(proc / str(pid) / "mem", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise Refused("memory_unreadable", f"process {pid}: {error.strerror}") from None

    def read(address: int, size: int) -> bytes:
        try:
            return os.pread(fd, size, address)
        except OSError:
            return b""

    try:
        yield Memory(read, reads)
    finally:
        os.close(fd)
