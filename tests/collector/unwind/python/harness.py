"""Samples one Python process at a time with the test program walk.bpf.c.

with Harness(compile_program(folder)) as harness:
    samples = harness.settled(pid, seconds=1)
"""

import os
import struct
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from collector.kernel import cpus, files, perf_event
from collector.kernel.libbpf import Library
from collector.kernel.maps import Map
from collector.kernel.ring import Ring
from collector.processes.cache import ProcessCache
from collector.processes.maps import Mapping
from collector.processes.procfs import ProcFs
from collector.unwind.abi import Cause
from collector.unwind.python import abi
from collector.unwind.python.interpreters import Interpreters
from collector.unwind.python.names import Names
from collector.unwind.python.stacks import PythonFrame, Stack, parse
from collector.unwind.unwinder import Unwinder
from profiler.clock import SystemClock
from profiler.model import Frame
from tests.processes import PATIENCE_SECONDS

SOURCE = Path(__file__).with_name("walk.bpf.c")
RING_BYTES = 1 << 24
MAPS = (
    *("unwind_processes", "unwind_mappings", "unwind_tables", "unwind_epoch", "unwind_wanted"),
    "unwind_later",
    *("python_processes", "python_codes", "python_later", "target", "ring", "lost"),
)
_HEAD = struct.Struct("<IIIIQ")


@dataclass(frozen=True, slots=True)
class Sample:
    """One walk: why it ended, what was found and what it cost."""

    cause: Cause
    python: abi.Cause
    stack: Stack
    ns: int

    @property
    def complete(self) -> bool:
        done = (abi.Cause.COMPLETE, abi.Cause.NO_THREAD)
        return self.cause is Cause.COMPLETE and self.python in done and not self.stack.cause


def _sample(record: bytes) -> Sample:
    cause, python, count, _, ns = _HEAD.unpack_from(record)
    words = memoryview(record)[_HEAD.size :].cast("Q")
    return Sample(Cause(cause), abi.Cause(python), parse(words[:count].tolist()), ns)


def compile_program(folder: Path) -> Path:
    """The test program's object; the flags are those of the Makefile."""
    target = folder / "python.bpf.o"
    include = files.find("python.h").parent
    flags = ["-O2", "-g", "-Wall", "-Werror", "-target", "bpf", "-D__TARGET_ARCH_x86"]
    includes = [f"-I/usr/include/{os.uname().machine}-linux-gnu", f"-I{include}"]
    subprocess.run(["clang", *flags, *includes, "-c", SOURCE, "-o", target], check=True)
    return target


class Harness:
    """The loaded test program and all that it needs."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self._processes = ProcessCache(ProcFs())
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self._load(opened)
            self._ring = opened.enter_context(Ring(self.fds["ring"], RING_BYTES))
            self.unwinder = opened.enter_context(Unwinder(self.fds, None, self._mappings))
            self.interpreters = Interpreters(self.fds["python_processes"], SystemClock())
            self.names = opened.enter_context(
                Names(self.fds["python_codes"], self.interpreters.inspected)
            )
            self._open = opened.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def sample(
        self, pid: int, seconds: float, frequency_hz: int = 499, least: float = 0
    ) -> list[Sample]:
        """Every sample of that time, and as many as `least`; none is lost on the way."""
        Map(self.fds["target"]).update(bytes(4), pid.to_bytes(4, "little"))
        before = Map(self.fds["lost"]).lookup(bytes(4))
        samples: list[Sample] = []
        with perf_event.Events(self._start, perf_event.CPU_CLOCK, frequency_hz) as events:
            events.follow_cpus(cpus.online())
            events.enable()
            end = time.monotonic() + seconds
            while time.monotonic() < end or len(samples) < least:
                assert time.monotonic() < end + PATIENCE_SECONDS, f"{len(samples)} samples of {pid}"
                time.sleep(0.02)
                self.unwinder.poll()
                self.interpreters.poll()
                samples += map(_sample, self._ring.read())
            events.disable()
        samples += map(_sample, self._ring.read_all())
        assert Map(self.fds["lost"]).lookup(bytes(4)) == before
        return samples

    def introduced(self, pid: int) -> bool | None:
        """True once the kernel knows a process that is not sampled yet."""
        self.unwinder.add_process(pid, self._mappings(pid) or ())
        known = self.interpreters.inspected(pid) and not self.interpreters.cause(pid)
        return True if known else None

    def settled(self, pid: int, seconds: float, frequency_hz: int = 499) -> list[Sample]:
        """Samples of a busy process whose tables and interpreter are known by now: at least a third
        of those of a CPU of its own."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            early = self.sample(pid, 0.25, frequency_hz, least=10)
            known = not self.interpreters.cause(pid) and not self.unwinder.stats().pending
            if known and all(sample.cause is Cause.COMPLETE for sample in early):
                break
        return self.sample(pid, seconds, frequency_hz, least=seconds * frequency_hz / 3)

    def frame(self, pid: int, frame: PythonFrame) -> Frame:
        """A Python frame by name."""
        answer = self.names.answer(pid, frame)
        assert not answer.cause, answer
        return answer.frames[0]

    def _mappings(self, pid: int) -> Sequence[Mapping] | None:
        process = self._processes.refresh(pid)
        self.interpreters.add(process)
        return process.mappings

    def _load(self, opened: ExitStack) -> None:
        library = Library()
        handle = opened.enter_context(library.opened(os.fsencode(self._program)))
        library.call("bpf_object__load", handle)

        def find(kind: str, name: str) -> int:
            found = library.call(f"bpf_object__find_{kind}_by_name", handle, name.encode())
            return library.call(f"bpf_{kind}__fd", found)

        self.fds = {name: find("map", name) for name in MAPS}
        self.fds["unwind_later_start"] = find("program", "unwind_later_start")
        self._start = find("program", "start")
