"""What is refused: each check takes a field's name and raises FormatError with name and value.

Messages are short whatever the value is: they travel in the status of a gRPC call.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from profiler.errors import FormatError
from profiler.wire import limits

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def columns(
    message: str, fields: Mapping[str, bytes], dtypes: Mapping[str, str]
) -> dict[str, NDArray[Any]]:
    """The columns of `fields` by name, all of one length."""
    found = {}
    for field, dtype in dtypes.items():
        whole(f"{message}.{field}", fields[field], np.dtype(dtype).itemsize)
        found[field] = np.frombuffer(fields[field], dtype=dtype)
    lengths = {field: len(column) for field, column in found.items()}
    if len(set(lengths.values())) > 1:
        raise FormatError(f"{message}: columns of different lengths: {lengths}")
    return found


def whole(field: str, data: bytes, size: int) -> None:
    """`data` is some entries of `size` bytes."""
    if len(data) % size:
        raise FormatError(
            f"{field}: {len(data)} bytes are no whole number of entries of {size} bytes"
        )


def below(field: str, column: NDArray[Any], limit: int, what: str) -> None:
    """All entries are numbers of the `limit` things there are."""
    if len(column) and column.max() >= limit:
        beyond = np.flatnonzero(column >= limit)
        raise FormatError(f"{field}: {column[beyond[0]]} at entry {beyond[0]}, of {limit} {what}")


def counts(field: str, column: NDArray[Any]) -> NDArray[np.int64]:
    """The column as int64, its sum known to be below the limit."""
    # Sums of doubles are exact below 2**53 and cannot wrap around above it.
    if column.sum(dtype=np.float64) >= limits.COUNT:
        raise FormatError(f"{field}: the sum is not below {limits.COUNT}")
    return column.astype(np.int64)


def losses(losses: Mapping[str, int]) -> dict[str, int]:
    """Samples by cause, sorted by cause."""
    if len(losses) > limits.CAUSES:
        raise FormatError(f"accounts.losses: {len(losses)} causes, at most {limits.CAUSES}")
    return {
        name("accounts.losses", cause): bounded(f"accounts.losses.{cause}", count, limits.COUNT)
        for cause, count in sorted(losses.items())
    }


def bounded(field: str, number: int, limit: int) -> int:
    """`number`, if it is in [0, limit)."""
    if not 0 <= number < limit:
        raise FormatError(f"{field}: {number}, expected a number from 0 to {limit - 1}")
    return number


def name(field: str, text: str) -> str:
    """`text`, if it is a name as selectors spell them."""
    if len(text) > limits.NAME_BYTES or not _NAME.fullmatch(text):
        raise FormatError(
            f"{field}: {text[:64]!r}, expected letters, digits and underscores, "
            f"at most {limits.NAME_BYTES}"
        )
    return text


def text(field: str, text: str, limit: int) -> str:
    """`text`, if it has at most `limit` bytes and no NUL."""
    if size(text) > limit:
        raise FormatError(f"{field}: a text of {size(text)} bytes, at most {limit}")
    if "\0" in text:
        raise FormatError(f"{field}: {text[:64]!r} has a NUL, which SQL text cannot hold")
    return text


def texts(field: str, texts: Sequence[str], limit: int) -> int:
    """The bytes of all of them, if `text` takes each."""
    together = "".join(texts)
    if together.isascii() and "\0" not in together and max(map(len, texts), default=0) <= limit:
        return len(together)
    return sum(size(text(field, one, limit)) for one in texts)


def size(text: str) -> int:
    """Bytes of `text` in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())
