"""BPF maps by descriptor, whichever loader made them.

`take_all` reads a map and empties it in the fewest calls that the kernel knows: a batch for
hashes (5.6), one call an element where elements can be looked up and deleted at once, else two.
What the kernel knows is found by trying, since distributions backport.

    >>> parse_shape("map_type:\\t7\\nkey_size:\\t4\\nvalue_size:\\t1016\\nmax_entries:\\t16384\\n")
    Shape(type=7, key_size=4, value_size=1016, max_entries=16384)
"""

import ctypes
import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from collector.kernel import syscalls

Bpf = Callable[[int, ctypes.Structure], int]

# enum bpf_cmd and enum bpf_map_type of linux/bpf.h.
MAP_CREATE = 0
LOOKUP = 1
UPDATE = 2
DELETE = 3
NEXT_KEY = 4
OBJ_PIN = 6  # these two since 4.4
OBJ_GET = 7
PROG_TEST_RUN = 10
OBJ_INFO = 15  # 4.13
RAW_TRACEPOINT_OPEN = 17
LOOKUP_AND_DELETE = 21
LOOKUP_BATCH = 24
LOOKUP_AND_DELETE_BATCH = 25

ARRAY = 2
STACK_TRACE = 7
ARRAY_OF_MAPS = 12
RINGBUF = 27

# The kernel's "unknown command" and its two ways to say "not for this type of map"
# (ENOTSUPP, 524, is internal to the kernel and has no name here).
_UNKNOWN = (errno.EINVAL, errno.EOPNOTSUPP, 524)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a map was made with; sizes in bytes."""

    type: int
    key_size: int
    value_size: int
    max_entries: int


class Create(ctypes.Structure):
    """This and the next two are members of the kernel's `union bpf_attr`."""

    _fields_ = tuple(
        (name, ctypes.c_uint32)
        for name in ("type", "key_size", "value_size", "max_entries", "flags", "inner_map_fd")
    )


class Element(ctypes.Structure):
    _fields_ = (
        ("map_fd", ctypes.c_uint32),
        ("key", ctypes.c_void_p),
        ("value", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
    )


class Batch(ctypes.Structure):
    _fields_ = (
        ("in_batch", ctypes.c_void_p),
        ("out_batch", ctypes.c_void_p),
        ("keys", ctypes.c_void_p),
        ("values", ctypes.c_void_p),
        ("count", ctypes.c_uint32),
        ("map_fd", ctypes.c_uint32),
        ("elem_flags", ctypes.c_uint64),
        ("flags", ctypes.c_uint64),
    )


def create(shape: Shape, inner_map_fd: int = 0, flags: int = 0) -> int:
    """A new map's descriptor. Raises OSError."""
    attributes = Create(
        shape.type, shape.key_size, shape.value_size, shape.max_entries, flags, inner_map_fd
    )
    return syscalls.bpf(MAP_CREATE, attributes)


def parse_shape(fdinfo: str) -> Shape:
    """The shape in the text of /proc/PID/fdinfo/FD; bpf(2) itself tells it only since 4.13."""
    fields = dict(line.split(":\t", 1) for line in fdinfo.splitlines() if ":\t" in line)
    return Shape(*(int(fields[f]) for f in ("map_type", "key_size", "value_size", "max_entries")))


def shape_of(fd: int) -> Shape:
    return parse_shape(Path(f"/proc/self/fdinfo/{fd}").read_text())


class Map:
    """One map; not for two threads at once, since its buffers are its own.

    `copies` is the number of values that one key holds: that of possible CPUs for per-CPU maps.
    """

    def __init__(self, fd: int, *, copies: int = 1, bpf: Bpf = syscalls.bpf) -> None:
        self.shape = shape_of(fd)
        self._bpf = bpf
        self._key = ctypes.create_string_buffer(self.shape.key_size)
        # The kernel copies per-CPU values at multiples of 8 bytes.
        size = self.shape.value_size if copies == 1 else -(-self.shape.value_size // 8) * 8
        self._value = ctypes.create_string_buffer(size * copies)
        self._next = ctypes.create_string_buffer(self.shape.key_size)
        self._on_value = Element(fd, ctypes.addressof(self._key), ctypes.addressof(self._value))
        # Deleting looks at the value too: what a command does not use must be zero.
        self._on_key = Element(fd, ctypes.addressof(self._key))
        self._on_next = Element(fd, ctypes.addressof(self._key), ctypes.addressof(self._next))
        self._fd = fd
        self._takes_batches = True
        self._takes_one = True

    def lookup(self, key: bytes) -> bytes | None:
        return self._read(LOOKUP, key)

    def update(self, key: bytes, value: bytes) -> None:
        self._set_key(key)
        if len(value) != len(self._value):
            raise ValueError(f"a value of {len(value)} bytes for one of {len(self._value)}")
        self._value.raw = value
        self._bpf(UPDATE, self._on_value)

    def take_all(self) -> Iterator[tuple[bytes, bytes]]:
        """Every (key, value), each deleted as it is read. Nobody else may write meanwhile."""
        return self._each(LOOKUP_AND_DELETE_BATCH, self._take)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Every (key, value), which may change meanwhile."""
        return self._each(LOOKUP_BATCH, self.lookup)

    def _each(
        self, batch_command: int, read: Callable[[bytes], bytes | None]
    ) -> Iterator[tuple[bytes, bytes]]:
        if self._takes_batches:
            try:
                yield from self._batches(batch_command)
                return
            except OSError as error:
                if error.errno not in _UNKNOWN:
                    raise
                self._takes_batches = False
        for key in self._keys():
            value = read(key)
            if value is not None:
                yield key, value

    def _batches(self, command: int) -> Iterator[tuple[bytes, bytes]]:
        capacity = self.shape.max_entries
        keys = ctypes.create_string_buffer(capacity * self.shape.key_size)
        values = ctypes.create_string_buffer(capacity * self.shape.value_size)
        position = ctypes.create_string_buffer(max(8, self.shape.key_size))
        batch = Batch(
            out_batch=ctypes.addressof(position),
            keys=ctypes.addressof(keys),
            values=ctypes.addressof(values),
            map_fd=self._fd,
        )
        more = True
        while more:
            batch.count = capacity
            try:
                self._bpf(command, batch)
            except FileNotFoundError:  # -ENOENT: this batch is the last
                more = False
            yield from zip(
                _split(keys, batch.count, self.shape.key_size),
                _split(values, batch.count, self.shape.value_size),
                strict=True,
            )
            batch.in_batch = batch.out_batch

    def _keys(self) -> Iterator[bytes]:
        # A key that no map holds stands for "the first"; NULL does so only since 4.12. The next
        # key is asked for before the caller deletes this one: from a deleted key, the kernel
        # would begin again.
        try:
            key = self._next_key(b"\xff" * self.shape.key_size)
        except OSError as error:
            if self.shape.type != STACK_TRACE or error.errno not in _UNKNOWN:
                raise
            # Stack traces can be walked since 4.16; before, their ids must be tried.
            slots = 1 << (self.shape.max_entries - 1).bit_length()
            yield from (number.to_bytes(4, "little") for number in range(slots))
            return
        while key is not None:
            following = self._next_key(key)
            yield key
            key = following

    def _next_key(self, key: bytes) -> bytes | None:
        self._set_key(key)
        try:
            self._bpf(NEXT_KEY, self._on_next)
        except FileNotFoundError:
            return None
        return self._next.raw

    def _take(self, key: bytes) -> bytes | None:
        if self._takes_one:
            try:
                return self._read(LOOKUP_AND_DELETE, key)
            except OSError as error:
                if error.errno not in _UNKNOWN:
                    raise
                self._takes_one = False
        value = self._read(LOOKUP, key)
        if value is not None:
            self._bpf(DELETE, self._on_key)
        return value

    def _read(self, command: int, key: bytes) -> bytes | None:
        self._set_key(key)
        try:
            self._bpf(command, self._on_value)
        except FileNotFoundError:
            return None
        return self._value.raw

    def _set_key(self, key: bytes) -> None:
        if len(key) != len(self._key):
            raise ValueError(f"a key of {len(key)} bytes for one of {len(self._key)}")
        self._key.raw = key


def _split(buffer: ctypes.Array[ctypes.c_char], count: int, size: int) -> list[bytes]:
    used = bytes(memoryview(buffer)[: count * size])
    return [used[i : i + size] for i in range(0, len(used), size)]
