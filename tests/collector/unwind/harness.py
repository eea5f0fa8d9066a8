"""Samples with the test program walk.bpf.c: `Harness(program).settled(1.0, pid)`."""

import os
import struct
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from collector.kernel import cpus, files, perf_event
from collector.kernel.libbpf import Library
from collector.kernel.maps import Map
from collector.kernel.ring import Ring
from collector.processes.maps import Mapping, parse_maps
from collector.processes.procfs import ProcFs
from collector.unwind import abi
from collector.unwind.abi import Cause
from collector.unwind.unwinder import Unwinder
from tests.processes import PATIENCE_SECONDS

SOURCE = Path(__file__).with_name("walk.bpf.c")
NATIVE_DEPTH = 127
RING_BYTES = 1 << 24
MAPS = (
    *("unwind_processes", "unwind_mappings", "unwind_tables", "unwind_epoch", "unwind_wanted"),
    *("unwind_later", "python_later", "ring", "lost", "target"),
    "saved_ring",
)
WAITING = {Cause.NO_PROCESS, Cause.NO_TABLE, Cause.NO_MAPPING}
_HEAD = struct.Struct("<IIIiQ")


@dataclass(frozen=True, slots=True)
class Sample:
    """One walk: addresses innermost first, why it ended, what it cost, and the kernel's own walk
    by frame pointers."""

    tgid: int
    words: tuple[int, ...]
    cause: Cause
    ns: int
    native: tuple[int, ...]

    @property
    def complete(self) -> bool:
        return self.cause is Cause.COMPLETE


def parse(record: bytes) -> Sample:
    tgid, cause, count, native, ns = _HEAD.unpack_from(record)
    words = memoryview(record)[_HEAD.size :].cast("Q")
    return Sample(
        tgid,
        tuple(words[:count]),
        Cause(cause),
        ns,
        tuple(words[abi.DEPTH : abi.DEPTH + max(0, native) // 8]),
    )


def compile_program(folder: Path) -> Path:
    """The test program's object; the flags are those of the Makefile."""
    target = folder / "walk.bpf.o"
    include = files.find("unwind.h").parent
    machine = os.uname().machine
    subprocess.run(
        [
            *("clang", "-O2", "-g", "-Wall", "-Werror", "-target", "bpf", "-D__TARGET_ARCH_x86"),
            *(f"-I/usr/include/{machine}-linux-gnu", f"-I{include}"),
            *("-c", SOURCE, "-o", target),
        ],
        check=True,
    )
    return target


def program_fd(library: Library, handle: int, name: str) -> int:
    found = library.call("bpf_object__find_program_by_name", handle, name.encode())
    return library.call("bpf_program__fd", found)


class Harness:
    """The loaded test program and its unwinder."""

    def __init__(self, program: Path, **options: Any) -> None:
        self._object = program
        self._options = options
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            library = Library()
            handle = opened.enter_context(library.opened(os.fsencode(self._object)))
            library.call("bpf_object__load", handle)
            self.fds = {
                name: library.call(
                    "bpf_map__fd",
                    library.call("bpf_object__find_map_by_name", handle, name.encode()),
                )
                for name in MAPS
            }
            self.start = program_fd(library, handle, "start")
            self.fds["unwind_later_start"] = program_fd(library, handle, "unwind_later_start")
            self._ring = opened.enter_context(Ring(self.fds["ring"], RING_BYTES))
            self._saved_ring = opened.enter_context(Ring(self.fds["saved_ring"], RING_BYTES))
            self.saved: list[bytes] = []
            self.unwinder = opened.enter_context(
                Unwinder(
                    self.fds,
                    self._object.parent / "tables",
                    **{"read_mappings": read_mappings} | self._options,
                )
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
        self, seconds: float, pid: int | None = None, frequency_hz: int = 499, least: float = 0
    ) -> list[Sample]:
        """Every sample of that time, of one process or of all, and as many as `least`; none is lost
        on the way."""
        Map(self.fds["target"]).update(bytes(4), (pid or 0).to_bytes(4, "little"))
        before = Map(self.fds["lost"]).lookup(bytes(4))
        samples: list[Sample] = []
        with perf_event.Events(self.start, perf_event.CPU_CLOCK, frequency_hz) as events:
            events.follow_cpus(cpus.online())
            events.enable()
            end = time.monotonic() + seconds
            while time.monotonic() < end or len(samples) < least:
                assert time.monotonic() < end + PATIENCE_SECONDS, f"{len(samples)} samples of {pid}"
                time.sleep(0.02)
                self.unwinder.poll()
                samples += map(parse, self._ring.read())
                self.saved += self._saved_ring.read()
            events.disable()
        samples += map(parse, self._ring.read_all())
        assert Map(self.fds["lost"]).lookup(bytes(4)) == before
        return samples

    def settled(self, seconds: float, pid: int, frequency_hz: int = 499) -> list[Sample]:
        """Samples of a busy process whose mappings and tables are loaded by now: at least a third
        of those of a CPU of its own."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        calm = 0
        while calm < 2 and time.monotonic() < deadline:
            early = self.sample(0.1, pid, frequency_hz, least=5)
            calm = calm + 1 if not any(sample.cause in WAITING for sample in early) else 0
        return self.sample(seconds, pid, frequency_hz, least=seconds * frequency_hz / 3)


def read_mappings(pid: int) -> Sequence[Mapping] | None:
    text = ProcFs().maps(pid)
    return parse_maps(text) if text else None
