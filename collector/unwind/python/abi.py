"""The user side of bpf/python.h; a test compares the two by the C compiler."""

from enum import IntEnum

import numpy as np

TAG = 1 << 63
KIND_SHIFT = 56
ADDRESS_MASK = (1 << KIND_SHIFT) - 1
FRAMES = 256
SAVED_FRAMES = 128
FRAME_SIZE = 128
CODE_SIZE = 256
EVAL_RANGES = 2
OWNER_STACK = 3


class Kind(IntEnum):
    """enum python_kind."""

    FRAME = 0
    NO_FRAME = 1
    CUT = 2


class Runs(IntEnum):
    """enum python_runs."""

    BY_CODE = 0
    BY_CFRAME = 1
    BY_FLAG = 2
    BY_FRAME = 3


class Cause(IntEnum):
    """enum python_cause."""

    GOING_ON = 0
    COMPLETE = 1
    NO_THREAD = 2
    WRONG_THREAD = 3
    READ_FAULT = 4
    NOT_CODE = 5
    TORN = 6
    TOO_DEEP = 7
    UNPLACED = 8
    TOO_EARLY = 9


LAYOUT_FIELDS = (
    "runs",
    "thread_id",
    "thread_frame",
    "thread_cframe",
    "cframe_frame",
    "cframe_previous",
    "frame_size",
    "frame_previous",
    "frame_code",
    "frame_place",
    "frame_owner",
    "code_size",
    "code_type",
    "code_line",
    "code_file",
    "code_name",
    "code_lines",
    "code_instructions",
)

LAYOUT = np.dtype([(name, "<u2") for name in LAYOUT_FIELDS])
RANGE = np.dtype([("start", "<u8"), ("end", "<u8")])
PROCESS = np.dtype(
    [
        ("code_type", "<u8"),
        ("slot_block", "<u4"),
        ("slot", "<u4"),
        ("eval", RANGE, (EVAL_RANGES,)),
        ("layout", LAYOUT),
        ("padding", "<u4"),
    ]
)
FRAME = np.dtype([("code", "<u8"), ("place", "<u8"), ("run", "<u8")])
CHAIN = np.dtype(
    [("torn", "<u8"), ("cause", "<u4"), ("count", "<u4"), ("next", "<u4"), ("shift", "<i4")]
)
WALK = np.dtype(
    [
        ("process", PROCESS),
        ("chain", CHAIN),
        ("tgid", "<u4"),
        ("putting", "<u4"),
        ("frames", FRAME, FRAMES),
    ]
)
"""struct python up to what it needs while frames are collected."""
CODE = np.dtype([("address", "<u8"), ("tgid", "<u4"), ("checksum", "<u4")])

_FACTOR = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def checksum(line: int, file: int, name: int, lines: int) -> int:
    """What the kernel computes of a code object: its first line and the addresses of its texts."""
    total = line
    for part in (file, name, lines):
        total = ((total ^ total >> 32 ^ part) * _FACTOR) & _MASK
    return total >> 32
