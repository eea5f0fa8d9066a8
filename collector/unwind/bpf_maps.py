"""What unwinding needs of bpf(2) beside `collector.kernel.maps`: arrays that may be inner maps,
deletion, and many elements in one call."""

import ctypes

import numpy as np
from numpy.typing import NDArray

from collector.kernel import maps, syscalls

UPDATE_BATCH = 26  # enum bpf_cmd of linux/bpf.h
INNER_MAP = 1 << 12  # BPF_F_INNER_MAP: each array as long as it needs to be (5.10)


def create_array(value_size: int, entries: int) -> int:
    """The descriptor of a new array that can stand in a map of maps."""
    return maps.create(maps.Shape(maps.ARRAY, 4, value_size, entries), flags=INNER_MAP)


def delete(fd: int, key: bytes) -> bool:
    """Whether the key was there."""
    buffer = ctypes.create_string_buffer(key, len(key))
    try:
        syscalls.bpf(maps.DELETE, maps.Element(fd, ctypes.addressof(buffer)))
    except FileNotFoundError:
        return False
    return True


def update_many(fd: int, keys: NDArray[np.uint32], values: NDArray[np.uint32]) -> None:
    """Sets elements with 4-byte keys and values, in one call where the kernel can."""
    keys, values = np.ascontiguousarray(keys), np.ascontiguousarray(values)
    batch = maps.Batch(keys=keys.ctypes.data, values=values.ctypes.data, count=len(keys), map_fd=fd)
    try:
        syscalls.bpf(UPDATE_BATCH, batch)
    except OSError:  # maps of maps take batches since 5.14
        one = maps.Map(fd)
        for key, value in zip(keys, values, strict=True):
            one.update(key.tobytes(), value.tobytes())
