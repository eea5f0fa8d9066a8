"""A spooled batch as a file: its accounts, then the whole of it, each behind a checksum.

    crc32 of the message, its length (two u32, little-endian), the message: accounts only
    crc32, length, the message: the batch, compressed with zstd

The accounts stand apart so that a file whose samples are damaged can still say how many there
were. The second record is missing where the samples were dropped.
"""

import struct
import zlib

import zstandard

from collector.delivery import losses
from profiler import wire
from profiler.errors import FormatError
from profiler.v1 import ingest_pb2 as pb
from profiler.wire.limits import MESSAGE_BYTES

HEADER = struct.Struct("<II")
ACCOUNTS_BYTES = 16 << 10
"""More than any accounts: 64 causes of 128 bytes and three names."""


def dumps(accounts: pb.Batch, batch: pb.Batch | None = None) -> bytes:
    """The file of `batch`, or of the accounts that remain of one."""
    head = _record(accounts.SerializeToString())
    return head if batch is None else head + _record(zstandard.compress(batch.SerializeToString()))


def loads_accounts(data: bytes) -> pb.Batch:
    """The accounts, from the first ACCOUNTS_BYTES of a file."""
    return wire.parse(_split(data)[0])


def loads(data: bytes) -> pb.Batch:
    """The batch, or the accounts where nothing more remains; raises FormatError where damaged."""
    message, rest = _split(data)
    if not rest:
        accounts = wire.parse(message)
        if losses.held(accounts):
            raise FormatError("the samples are missing")
        return accounts
    compressed, _ = _split(rest)
    try:
        # A frame that says its size is unpacked to that, whatever is allowed beside it.
        if (size := zstandard.frame_content_size(compressed)) > MESSAGE_BYTES:
            raise FormatError(f"a batch of {size} bytes, at most {MESSAGE_BYTES}")
        return wire.parse(zstandard.decompress(compressed, MESSAGE_BYTES))
    except zstandard.ZstdError as error:
        raise FormatError(str(error)) from None


def _record(message: bytes) -> bytes:
    return HEADER.pack(zlib.crc32(message), len(message)) + message


def _split(data: bytes) -> tuple[bytes, bytes]:
    """The first record's message, and what follows it."""
    if len(data) < HEADER.size:
        raise FormatError(f"{len(data)} bytes are too few for a record")
    checksum, length = HEADER.unpack_from(data)
    end = HEADER.size + length
    message = data[HEADER.size : end]
    if len(message) < length or zlib.crc32(message) != checksum:
        raise FormatError(f"a record of {length} bytes is cut or damaged")
    return message, data[end:]
