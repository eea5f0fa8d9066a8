"""What unwinding needs of bpf(2) beside `collector.kernel.maps`: arrays that may be inner maps,
deletion, and many elements in one call."""

import ctypes

import numpy as np
from numpy.typing import NDArray

from collector.kernel import maps, syscalls

UPDATE_BATCH = 26  # enum bpf_cmd of linux/bpf.h
INNER_MAP = 1 << 12  # BPF_F_INNER_MAP: each array as long as it needs to be (5.10)


class _Create(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_uint32)
        for name in ("type", "key_size", "value_size", "max_entries", "flags")
    )


class _Element(ctypes.Structure):
    _fields_ = (
        ("map_fd", ctypes.c_uint32),
        ("key", ctypes.c_void_p),
        ("value", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
    )


class _Batch(ctypes.Structure):
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


def create_array(value_size: int, entries: int) -> int:
    """The descriptor of a new array that can stand in a map of maps."""
    return syscalls.bpf(maps.MAP_CREATE, _Create(maps.ARRAY, 4, value_size, entries, INNER_MAP))


def delete(fd: int, key: bytes) -> bool:
    """Whether the key was there."""
    buffer = ctypes.create_string_buffer(key, len(key))
    try:
        syscalls.bpf(maps.DELETE, _Element(fd, ctypes.addressof(buffer)))
    except FileNotFoundError:
        return False
    return True


def update_many(fd: int, keys: NDArray[np.uint32], values: NDArray[np.uint32]) -> None:
    """Sets elements with 4-byte keys and values, in one call where the kernel can."""
    keys, values = np.ascontiguousarray(keys), np.ascontiguousarray(values)
    batch = _Batch(keys=keys.ctypes.data, values=values.ctypes.data, count=len(keys), map_fd=fd)
    try:
        syscalls.bpf(UPDATE_BATCH, batch)
    except OSError:  # maps of maps take batches since 5.14
        one = maps.Map(fd)
        for key, value in zip(keys, values, strict=True):
            one.update(key.tobytes(), value.tobytes())
