"""The system calls that libc does not wrap: bpf(2), perf_event_open(2), membarrier(2), openat2(2),
ioprio_set(2).

Each raises OSError with the kernel's errno. Called through ctypes, so that no loader's library
is needed once a program is loaded.
"""

import ctypes
import os
import platform

# From the kernel's table of each architecture (asm/unistd.h): bpf, perf_event_open, membarrier,
# ioprio_set.
_NUMBERS = {
    "x86_64": (321, 298, 324, 251),
    "aarch64": (280, 241, 283, 30),
}
_BPF, _PERF_EVENT_OPEN, _MEMBARRIER, _IOPRIO_SET = _NUMBERS.get(platform.machine(), (-1,) * 4)

_OPENAT2 = 437  # of every architecture

# One function object a call: argtypes belong to the object.
_libc = ctypes.CDLL(None, use_errno=True)
_bpf = _libc["syscall"]
_bpf.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_ulong]
_bpf.restype = ctypes.c_long
_perf_event_open = _libc["syscall"]
_perf_event_open.argtypes = [ctypes.c_long, ctypes.c_void_p, *[ctypes.c_long] * 3, ctypes.c_ulong]
_perf_event_open.restype = ctypes.c_long
_membarrier = _libc["syscall"]
_membarrier.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_ulong, ctypes.c_long]
_membarrier.restype = ctypes.c_long
_ioprio_set = _libc["syscall"]
_ioprio_set.argtypes = [ctypes.c_long] * 4
_ioprio_set.restype = ctypes.c_long
_openat2 = _libc["syscall"]
_openat2.argtypes = [
    *[ctypes.c_long] * 2,
    ctypes.c_char_p,
    ctypes.POINTER(ctypes.c_uint64),
    ctypes.c_ulong,
]
_openat2.restype = ctypes.c_long

PERF_FLAG_FD_CLOEXEC = 8
RESOLVE_NO_MAGICLINKS, RESOLVE_IN_ROOT = 0x02, 0x10
_IOPRIO_WHO_PROCESS, _IOPRIO_CLASS_SHIFT = 1, 13


def bpf(command: int, attributes: ctypes.Structure) -> int:
    """bpf(2). `attributes` is one member of the kernel's `union bpf_attr`, zero where unused."""
    size = ctypes.sizeof(attributes)
    return _checked(_bpf(_BPF, command, ctypes.addressof(attributes), size))


def perf_event_open(attributes: ctypes.Structure, pid: int, cpu: int) -> int:
    """perf_event_open(2): a descriptor, closed on exec."""
    address = ctypes.addressof(attributes)
    flags = PERF_FLAG_FD_CLOEXEC
    return _checked(_perf_event_open(_PERF_EVENT_OPEN, address, pid, cpu, -1, flags))


def membarrier(command: int) -> int:
    """membarrier(2) without flags."""
    return _checked(_membarrier(_MEMBARRIER, command, 0, 0))


def ioprio_set(class_: int, level: int) -> None:
    """ioprio_set(2) for this thread."""
    priority = class_ << _IOPRIO_CLASS_SHIFT | level
    _checked(_ioprio_set(_IOPRIO_SET, _IOPRIO_WHO_PROCESS, 0, priority))


def openat2(directory: int, path: bytes, flags: int, resolve: int) -> int:
    """openat2(2), since Linux 5.6: a descriptor of what exists. Raises ValueError for a NUL."""
    if b"\0" in path:
        raise ValueError(f"a NUL in the path {path!r}")
    how = (ctypes.c_uint64 * 3)(flags, 0, resolve)  # struct open_how
    return _checked(_openat2(_OPENAT2, directory, path, how, ctypes.sizeof(how)))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
