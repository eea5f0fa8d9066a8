"""Columns of a text read at once with numpy: a symbol table has lines by the hundred thousand."""

import numpy as np
from numpy.typing import NDArray

_NOT_A_DIGIT = 255
_DIGITS = np.full(256, _NOT_A_DIGIT, dtype=np.uint8)
_DIGITS[np.frombuffer(b"0123456789abcdef", dtype=np.uint8)] = np.arange(16)
_DIGITS[np.frombuffer(b"ABCDEF", dtype=np.uint8)] = np.arange(10, 16)


def line_starts(text: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Where each line begins, and after the last one the end; what follows the last newline is
    not a line. `line_starts(b"ab\\nc\\n")` is [0, 3, 5]."""
    ends = np.flatnonzero(text == ord("\n")) + 1
    return np.concatenate([np.zeros(1, dtype=np.int64), ends])


def hexadecimal(
    text: NDArray[np.uint8], begin: NDArray[np.int64], end: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """The numbers that stand at text[begin:end], and which are 1 to 16 digits, with 0x or not."""
    prefixed = (end - begin > 2) & (text[np.minimum(begin + 1, len(text) - 1)] == ord("x"))
    begin = begin + 2 * prefixed
    length = end - begin
    valid = (length >= 1) & (length <= 16)
    values = np.zeros(len(begin), dtype=np.uint64)
    for column in range(int(length[valid].max(initial=0))):
        used = valid & (column < length)
        digits = _DIGITS[text[begin[used] + column]]
        values[used] = (values[used] << np.uint64(4)) | digits
        valid[used] = digits != _NOT_A_DIGIT
    return values, valid
