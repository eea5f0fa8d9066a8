"""The time that the machine spends in timer interrupts: what sampling costs in the kernel, whoever
samples.

    with Interrupts(folder) as interrupts:
        before = interrupts.seconds()
        …
        interrupts.seconds() - before

A sampling event of the kernel's clock is a timer. Its interrupt takes the sample: it runs the BPF
program, or copies registers and stack for perf. That time is charged to the program that was
interrupted, so no process's account shows it. Beside nothing but the timer tick, the difference is
what a profiler adds.
"""

import ctypes
import os
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from collector.kernel import cpus, syscalls
from collector.kernel.libbpf import Library
from collector.kernel.maps import Map
from tests.bench.workloads import MissingError

SOURCE = Path(__file__).with_name("interrupts.bpf.c")
TRACEPOINTS = ("local_timer_entry", "local_timer_exit", "irq_work_entry", "irq_work_exit")
SPENT = np.dtype([("since", "<u8"), ("ns", "<u8"), ("number", "<u8")])

BPF_RAW_TRACEPOINT_OPEN = 17  # enum bpf_cmd


class RawTracepoint(ctypes.Structure):
    """`struct { __u64 name; __u32 prog_fd; } raw_tracepoint` of bpf(2)."""

    _fields_ = (("name", ctypes.c_uint64), ("prog_fd", ctypes.c_uint32))


class Interrupts:
    """Counts from entry to exit. Raises MissingError where the program cannot be compiled."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            library = Library()
            handle = opened.enter_context(library.opened(os.fsencode(_compiled(self._folder))))
            library.call("bpf_object__load", handle)
            found = library.call("bpf_object__find_map_by_name", handle, b"spent")
            self._spent = Map(library.call("bpf_map__fd", found), copies=cpus.possible())
            for name in TRACEPOINTS:
                program = library.call("bpf_object__find_program_by_name", handle, name.encode())
                descriptor = _attach(name, library.call("bpf_program__fd", program))
                opened.callback(os.close, descriptor)
            self._open = opened.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def seconds(self) -> float:
        """Of all CPUs together, since entry."""
        value = self._spent.lookup(bytes(4)) or b""
        return float(np.frombuffer(value, SPENT)["ns"].sum()) / 1e9


def _attach(name: str, program_fd: int) -> int:
    text = ctypes.create_string_buffer(name.encode())
    return syscalls.bpf(BPF_RAW_TRACEPOINT_OPEN, RawTracepoint(ctypes.addressof(text), program_fd))


def _compiled(folder: Path) -> Path:
    if shutil.which("clang") is None:
        raise MissingError("clang is not installed")
    target = folder / "interrupts.bpf.o"
    include = f"-I/usr/include/{os.uname().machine}-linux-gnu"
    flags = ["-O2", "-g", "-Wall", "-Werror", "-target", "bpf", include]
    subprocess.run(["clang", *flags, "-c", SOURCE, "-o", target], check=True)
    return target
