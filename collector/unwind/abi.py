"""The user side of bpf/unwind.h and bpf/unwind_x86_64.h; a test compares the two by the C compiler.

A row is one little-endian 64-bit number here: at << 8 | rule in its low half, offset << 8 | place
of the frame pointer in its high half.
"""

from enum import IntEnum

import numpy as np

from collector.unwind.python import abi as python

WINDOW_BITS = 24
PAGE_ROWS = 512
INDEX_SIZE = 1024
DEPTH = 1024
PAGE_BYTES = PAGE_ROWS * 8

MAPPING = np.dtype([("start", "<u8"), ("end", "<u8"), ("table", "<u4"), ("at", "<u4")])
PROCESS = np.dtype([("first", "<u4"), ("count", "<u4")])
WANT = np.dtype([("tgid", "<u4"), ("table", "<u4")])
REGISTERS = 17
THREAD = np.dtype(
    [
        ("registers", "<u8", REGISTERS),
        ("exact", "<u8"),
        ("saved", "<u8"),
        ("saved_from", "<u8"),
        ("saved_size", "<u8"),
    ]
)
UNWIND = np.dtype(
    [
        ("thread", THREAD),
        ("mapping", MAPPING),
        ("process", PROCESS),
        ("tgid", "<u4"),
        ("cause", "<u4"),
        ("count", "<u4"),
        ("epoch", "<u4"),
        ("hash", "<u8"),
        ("words", "<u8", DEPTH),
    ]
)
SAVED_BYTES = 28 << 10
SAVED = np.dtype(
    [
        ("registers", "<u8", REGISTERS),
        ("time_ns", "<u8"),
        ("from", "<u8"),
        ("size", "<u4"),
        ("tgid", "<u4"),
        ("python", python.CHAIN),
    ]
)
"""struct unwind_saved up to its `stack`, of which only the used bytes are sent; behind them the
frames of `python`."""


class Rule(IntEnum):
    """enum unwind_rule."""

    NONE = 0
    ROOT = 1
    UNSUPPORTED = 2
    FRAME_POINTER = 3
    SIGNAL = 4
    CFA_SP = 5
    CFA_FP = 6


class FramePointer(IntEnum):
    """enum unwind_fp."""

    SAME = 0
    AT_FP = 127
    LOST = -128


class Cause(IntEnum):
    """enum unwind_cause: why a stack ends where it ends."""

    GOING_ON = 0
    COMPLETE = 1
    NO_USER = 2
    NO_PROCESS = 3
    NO_MAPPING = 4
    NO_TABLE = 5
    NO_ROW = 6
    BAD_FRAME_POINTER = 7
    READ_FAULT = 8
    NO_PROGRESS = 9
    TOO_DEEP = 10
    TAIL_CALL = 11
    FOREIGN = 12
    EXPRESSION = 13
    REGISTER = 14
    RETURN_ADDRESS = 15
    OFFSET = 16
    BROKEN = 17
    NOT_SAVED = 18


RULES_MAX = 127
MIN_OFFSET, MAX_OFFSET = -(1 << 23), (1 << 23) - 1


def code(rule: int, offset: int = 0, place: int = 0) -> int:
    """A row without its address, as one number."""
    return ((offset << 8 | place & 0xFF) & 0xFFFFFFFF) << 32 | rule


def unsupported(cause: Cause) -> int:
    """A row that ends a stack for that cause."""
    return code(Rule.UNSUPPORTED, cause)
