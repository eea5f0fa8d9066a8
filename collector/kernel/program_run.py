"""Running a program ourselves, in place of what else would call it: BPF_PROG_TEST_RUN, for programs
of raw tracepoints since Linux 5.10.
"""

import ctypes

from collector.kernel import maps, syscalls

_ON_CPU = 1  # BPF_F_TEST_RUN_ON_CPU


class _TestRun(ctypes.Structure):
    _fields_ = (
        ("prog_fd", ctypes.c_uint32),
        ("retval", ctypes.c_uint32),
        ("data_size_in", ctypes.c_uint32),
        ("data_size_out", ctypes.c_uint32),
        ("data_in", ctypes.c_uint64),
        ("data_out", ctypes.c_uint64),
        ("repeat", ctypes.c_uint32),
        ("duration", ctypes.c_uint32),
        ("ctx_size_in", ctypes.c_uint32),
        ("ctx_size_out", ctypes.c_uint32),
        ("ctx_in", ctypes.c_uint64),
        ("ctx_out", ctypes.c_uint64),
        ("flags", ctypes.c_uint32),
        ("cpu", ctypes.c_uint32),
    )


class ProgramRun:
    """Of a program of SEC("raw_tp") that looks at no argument."""

    def __init__(self, program_fd: int) -> None:
        self._here = _TestRun(prog_fd=program_fd)
        self._there = _TestRun(prog_fd=program_fd, flags=_ON_CPU)

    def here(self) -> None:
        """Raises OSError before Linux 5.10."""
        syscalls.bpf(maps.PROG_TEST_RUN, self._here)

    def on(self, cpu: int) -> None:
        """In an interrupt of that CPU: the program's current thread is the one that runs there.
        Raises OSError before Linux 5.10, and where the CPU is not online."""
        self._there.cpu = cpu
        syscalls.bpf(maps.PROG_TEST_RUN, self._there)
