"""Files that may be gzipped, found by content, and bounded in what they unpack to."""

import gzip
import io
import zlib
from typing import IO, Protocol

from profiler.errors import FormatError
from profiler.formats import limits

_MAGIC = b"\x1f\x8b"
_BUFFER = 64 << 10


class Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


def opened(file: Readable) -> "io.BufferedReader[io.RawIOBase]":
    """`file` from where it stands, unpacked where it is gzipped; reading a broken one raises what
    `errors` names."""
    reader: io.BufferedReader[io.RawIOBase] = io.BufferedReader(_Raw(file), _BUFFER)
    if reader.peek(len(_MAGIC)).startswith(_MAGIC):
        return io.BufferedReader(_Raw(gzip.GzipFile(fileobj=reader)), _BUFFER)
    return reader


def unpacked(data: bytes) -> bytes:
    """Raises FormatError for more than `limits.MAX_BYTES`, packed or not, and for broken ones."""
    limits.check_size(data)
    return read(opened(io.BytesIO(data)))


def read(file: IO[bytes]) -> bytes:
    """All that is left of `file`; raises FormatError for more than `limits.MAX_BYTES`."""
    data = file.read(limits.MAX_BYTES + 1)
    limits.check_size(data)
    return data


class _Raw(io.RawIOBase):
    """Any readable object as what BufferedReader wants; what breaks in it is a FormatError."""

    def __init__(self, file: Readable) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """All of `buffer` but at the end: a pipe gives what is there, and a head must be whole."""
        filled = 0
        while data := self._read(len(buffer) - filled):
            buffer[filled : filled + len(data)] = data
            filled += len(data)
        return filled

    def _read(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise FormatError(f"not a gzip file: {error}") from None
