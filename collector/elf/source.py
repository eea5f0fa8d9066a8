"""Where the bytes of a file come from: a descriptor, or memory that holds all of it.

Files are read with pread and never mapped: whoever owns the file may truncate it meanwhile, and a
read then comes back short, where a mapping would kill the reader with SIGBUS.
"""

import os
from collections.abc import Callable

from profiler.errors import FormatError

Source = Callable[[int, int], bytes]
"""`source(offset, size)` is up to `size` bytes from `offset`; fewer only at the end."""


def of_descriptor(descriptor: int) -> Source:
    """The file behind a descriptor; a failing read is a FormatError."""

    def read(offset: int, size: int) -> bytes:
        try:
            return os.pread(descriptor, size, offset)
        except (OSError, OverflowError) as error:
            raise FormatError(f"cannot read {size} bytes at {offset:#x}: {error}") from None

    return read


def of_bytes(image: bytes) -> Source:
    """An image that is already in memory."""
    return lambda offset, size: image[offset : offset + size]
