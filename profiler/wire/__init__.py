"""The codec between drains and the messages of proto/profiler/v1/ingest.proto.

    >>> from profiler.model import Drain
    >>> drain = Drain("a", start_ns=0, duration_ns=10_000_000_000, taken=0)
    >>> decode(encode(drain, collector_id=bytes(16), sequence=1)).host_name
    'a'

Two numberings: `encode` begins at zero and gives a batch that explains itself (the spool and
recordings keep those); a `StreamEncoder` goes on where its last batch ended, so that a stack
travels once a stream. `StreamDecoder` is the other end: it believes nothing, and hands out numpy
columns without a loop over samples. Every refusal is a FormatError that names field and value.
"""

from profiler.wire.decoder import (
    Additions,
    DecodedBatch,
    StreamDecoder,
    StreamFullError,
)
from profiler.wire.drains import DrainDecoder, decode
from profiler.wire.encoder import StreamEncoder, encode
from profiler.wire.recording import parse, read_batches, write_batch
from profiler.wire.series import Samples

__all__ = [
    "Additions",
    "DecodedBatch",
    "DrainDecoder",
    "Samples",
    "StreamDecoder",
    "StreamEncoder",
    "StreamFullError",
    "decode",
    "encode",
    "parse",
    "read_batches",
    "write_batch",
]
