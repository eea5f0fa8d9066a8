"""Programs that know the tracepoint that they are of (SEC("tp_btf/…")), Linux 5.5."""

import ctypes

from collector.kernel import maps, syscalls


class _Open(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_uint64),
        ("program_fd", ctypes.c_uint32),
        ("padding", ctypes.c_uint32),
    )


def attach(program_fd: int) -> int:
    """The descriptor of the link: the program is called until it is closed."""
    return syscalls.bpf(maps.RAW_TRACEPOINT_OPEN, _Open(program_fd=program_fd))
