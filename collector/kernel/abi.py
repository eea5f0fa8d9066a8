"""The mirror of bpf/profile.h in user space. A test compares the two as a C compiler sees them."""

import ctypes
from enum import IntEnum

COMM_LEN = 16
MAX_DEPTH = 127
SETS = 2
NO_STACK = -1

STACKS = ("stacks_0", "stacks_1")
COUNTS = ("counts_0", "counts_1")
COUNTERS = "counters"
ACTIVE = "active"
RING = "ring"
SLEEPING = "sleeping"
SPANNING = ("spanning_0", "spanning_1")
TARGETS = "targets"


class Counter(IntEnum):
    """The places in `struct counters`: samples, but for those that end in NS, which are times."""

    TAKEN = 0
    IDLE = 1
    RAW_SENT = 2
    RING_FULL = 3
    STACK_COLLISION = 4
    COUNTS_FULL = 5
    SPENT_NS = 6
    SLEEPING_FULL = 7
    TAKEN_NS = 8
    COUNTS_FULL_NS = 9
    END_UNSEEN = 10
    END_UNSEEN_NS = 11


LOSSES = (
    Counter.RING_FULL,
    Counter.STACK_COLLISION,
    Counter.COUNTS_FULL,
    Counter.SLEEPING_FULL,
    Counter.END_UNSEEN,
)
"""The counters that are causes of loss; the cause's name is theirs in small letters."""


class CountKey(ctypes.Structure):
    """`struct count_key`: what samples are counted by."""

    _fields_ = (
        ("tgid", ctypes.c_uint32),
        ("kernel_stack", ctypes.c_int32),
        ("user_stack", ctypes.c_uint64),
        ("comm", ctypes.c_char * COMM_LEN),
    )
    tgid: int
    kernel_stack: int
    user_stack: int
    comm: bytes


class Count(ctypes.Structure):
    """`struct count`: the samples of a key, and what they add up to."""

    _fields_ = (("samples", ctypes.c_uint64), ("value", ctypes.c_uint64))
    samples: int
    value: int


class NoStack(IntEnum):
    """What `count_key.kernel_stack` has for sleeps without a stack."""

    BELOW_MINIMUM = -2
    NOT_SAMPLED = -3
    NO_ROOM = -4


class Sleep(ctypes.Structure):
    """`struct sleep`: of one thread."""

    _fields_ = (
        ("key", CountKey),
        ("drain", ctypes.c_uint32),
        ("padding", ctypes.c_uint32),
        ("since_ns", ctypes.c_uint64),
    )
    key: CountKey
    drain: int
    since_ns: int


class SpanningKey(ctypes.Structure):
    """`struct spanning_key`: a sleep that ended in another drain than it began in."""

    _fields_ = (
        ("key", CountKey),
        ("since_ns", ctypes.c_uint64),
        ("tid", ctypes.c_uint32),
        ("padding", ctypes.c_uint32),
    )
    key: CountKey
    since_ns: int
    tid: int


class Context(IntEnum):
    """What a program is called with."""

    REGISTERS = 0
    RECORD = 1


class Weighs(IntEnum):
    """What a sample's value is: `enum weighs`."""

    SAME = 0
    COUNT = 1
    PERIOD = 2


class Settings(ctypes.Structure):
    """`struct settings`: what the loader says to a program."""

    _fields_ = (
        ("use_ring", ctypes.c_uint32),
        ("context", ctypes.c_uint32),
        ("weighs", ctypes.c_uint32),
        ("targeted", ctypes.c_uint32),
        ("period", ctypes.c_uint64),
        ("minimum_ns", ctypes.c_uint64),
    )


class Counters(ctypes.Structure):
    """`struct counters`: since the program was loaded, of one set on one CPU."""

    _fields_ = (("of", ctypes.c_uint64 * len(Counter)),)


class RawSample(ctypes.Structure):
    """`struct raw_sample` up to its `words` or its `saved`, of which only the used part is sent."""

    _fields_ = (
        ("set", ctypes.c_uint32),
        ("tgid", ctypes.c_uint32),
        ("comm", ctypes.c_char * COMM_LEN),
        ("user_stack", ctypes.c_uint64),
        ("time_ns", ctypes.c_uint64),
        ("value", ctypes.c_uint64),
        ("kernel_stack", ctypes.c_int32),
        ("exec_id", ctypes.c_uint32),
        ("cause", ctypes.c_uint32),
        ("user_size", ctypes.c_int32),
        ("kernel_size", ctypes.c_int32),
        ("kernel_at", ctypes.c_uint32),
        ("saved_size", ctypes.c_uint32),
        ("drain", ctypes.c_uint32),
    )
    set: int
    tgid: int
    comm: bytes
    user_stack: int
    time_ns: int
    value: int
    kernel_stack: int
    exec_id: int
    cause: int
    user_size: int
    kernel_size: int
    kernel_at: int
    saved_size: int


NO_USER_STACK = 2**64 - 1
"""NO_STACK as `count_key.user_stack` has it."""
