"""Recordings: batches in a file, each after its length in bytes as a protobuf varint.

    02 … two bytes of a Batch, 85 03 … 389 bytes of the next

Every batch explains itself, so recordings can be cut and concatenated.
"""

from collections.abc import Iterator
from typing import IO

from google.protobuf.message import DecodeError

from profiler.errors import FormatError
from profiler.v1 import ingest_pb2 as pb
from profiler.wire.limits import MESSAGE_BYTES

_VARINT_BYTES = 5  # 35 bits: more than any length that is accepted


def parse(data: bytes) -> pb.Batch:
    """One message; raises FormatError where it is none."""
    try:
        return pb.Batch.FromString(data)
    except DecodeError as error:
        raise FormatError(f"not a batch: {error}") from None


def write_batch(file: IO[bytes], batch: pb.Batch) -> None:
    """Appends `batch` to a recording."""
    data = batch.SerializeToString()
    file.write(_varint(len(data)) + data)


def read_batches(file: IO[bytes]) -> Iterator[pb.Batch]:
    """The batches of a recording; raises FormatError with the number of the one at fault."""
    number = 0
    while (length := _length(file, number)) is not None:
        data = file.read(length)
        if len(data) < length:
            raise FormatError(f"batch {number}: {len(data)} of {length} bytes, the file is cut")
        try:
            yield parse(data)
        except FormatError as error:
            raise FormatError(f"batch {number}: {error}") from None
        number += 1


def _length(file: IO[bytes], number: int) -> int | None:
    """The length of the next batch, None at the end."""
    length = 0
    for position in range(_VARINT_BYTES):
        byte = file.read(1)
        if not byte:
            if position == 0:
                return None
            raise FormatError(f"batch {number}: the file is cut in the length")
        length |= (byte[0] & 0x7F) << 7 * position
        if byte[0] < 0x80:
            break
    if length > MESSAGE_BYTES or byte[0] >= 0x80:
        raise FormatError(
            f"batch {number}: {length} bytes or more, at most {MESSAGE_BYTES}; "
            "is it a recording of `profiler collect --to`?"
        )
    return length


def _varint(number: int) -> bytes:
    data = bytearray()
    while number >= 0x80:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)
