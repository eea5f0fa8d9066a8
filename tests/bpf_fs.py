"""A BPF file system of a test's own, and what the counters that are held there say."""

import ctypes
import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from collector.kernel import abi, cpus, syscalls

_GET, _LOOKUP = 7, 1  # enum bpf_cmd of linux/bpf.h


@contextmanager
def mounted(path: Path) -> Iterator[Path]:
    path.mkdir()
    mount = ["mount", "-t", "bpf", "none", str(path)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no BPF file system of its own: {done.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


def taken(pins: Path) -> int | None:
    """By the programs whose counters are held in folders of `pins`; None where there are none."""
    held = list(pins.glob("*/*"))
    return sum(map(taken_of, held)) if held else None


def taken_of(pin: Path) -> int:
    """What `bpftool map dump pinned PIN` prints, added up."""
    path = ctypes.create_string_buffer(os.fsencode(pin))
    fd = _bpf(_GET, struct.pack("=QII", ctypes.addressof(path), 0, 0))
    try:
        total = 0
        each = struct.Struct(f"={len(abi.Counter)}Q")
        for number in range(2):
            key = ctypes.c_uint32(number)
            value = ctypes.create_string_buffer(each.size * cpus.possible())
            address = ctypes.addressof(key), ctypes.addressof(value)
            _bpf(_LOOKUP, struct.pack("=I4xQQQ", fd, *address, 0))
            total += sum(counters[abi.Counter.TAKEN] for counters in each.iter_unpack(value.raw))
        return total
    finally:
        os.close(fd)


def _bpf(command: int, attributes: bytes) -> int:
    class Attributes(ctypes.Structure):
        _fields_ = (("raw", ctypes.c_char * len(attributes)),)

    return syscalls.bpf(command, Attributes.from_buffer_copy(attributes))
