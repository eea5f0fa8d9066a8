"""The loaded program, as the rest of the collector sees it: descriptors, whoever loaded it."""

import mmap
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Self

from collector.kernel import abi
from profiler.errors import PrivilegeError, UsageError


def _is_power_of_two(number: int) -> bool:
    return number > 0 and number & (number - 1) == 0


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much the maps hold. Each of the first two exists twice, once a set.

    `stacks`: slots for stack traces, a power of two. A stack's slot is its hash, so slots must
    be 10 to 20 times the different stacks of a drain for collisions to be rare: 1,024 slots for
    2,700 stacks of a node.js server sent 71 % of the samples to the ring, 16,384 sent 8 %. A slot
    costs about 1 KiB of kernel memory, so this is 17 MB a set.
    `counts`: different (process, thread name, user stack, kernel stack) of a drain; 36 bytes and
    the kernel's overhead each. More than the stacks that can be held is of no use.
    `ring_bytes`: a power of two, at least a page; 0: no ring. 1 MiB holds 500 samples, and
    lost none of 2,000 a second (20 CPUs at 99 Hz, if all collide) beside two busy loops on two
    CPUs, 2 % of 16,000 a second.
    `depth`: the deepest stack; the kernel's own limit where that is smaller.
    """

    stacks: int = 16_384
    counts: int = 16_384
    ring_bytes: int = 1 << 20
    depth: int = abi.MAX_DEPTH

    def __post_init__(self) -> None:
        if not _is_power_of_two(self.stacks):
            raise UsageError(f"stacks must be a power of two, got {self.stacks}")
        if self.counts < 1:
            raise UsageError(f"counts must be at least 1, got {self.counts}")
        ring_fits = _is_power_of_two(self.ring_bytes) and self.ring_bytes >= mmap.PAGESIZE
        if self.ring_bytes and not ring_fits:
            raise UsageError(
                "ring_bytes must be 0 or a power of two of at least a page "
                f"({mmap.PAGESIZE}), got {self.ring_bytes}"
            )
        if not 1 <= self.depth <= abi.MAX_DEPTH:
            raise UsageError(f"depth must be from 1 to {abi.MAX_DEPTH}, got {self.depth}")

    @property
    def map_names(self) -> tuple[str, ...]:
        ring = (abi.RING,) if self.ring_bytes else ()
        return (*abi.STACKS, *abi.COUNTS, abi.COUNTERS, abi.ACTIVE, *ring)


class Kind(Enum):
    """What calls a program; the number is the kernel's (enum bpf_prog_type of linux/bpf.h)."""

    PROBE = 2
    TRACEPOINT = 5
    PERF_EVENT = 7
    OFF_CPU = 26


@dataclass(frozen=True, slots=True)
class Program:
    """Which program is to be loaded, and what it is told: see struct settings in bpf/profile.h.

    `shared` are maps of another program that it uses in place of its own.
    """

    kind: Kind = Kind.PERF_EVENT
    weighs: abi.Weighs = abi.Weighs.SAME
    targeted: bool = False
    period: int = 1
    minimum_ns: int = 0
    shared: Mapping[str, int] = field(default_factory=dict)

    @property
    def map_names(self) -> tuple[str, ...]:
        """Beside those of every program."""
        return (abi.SLEEPING, *abi.SPANNING) if self.kind is Kind.OFF_CPU else ()

    @property
    def names(self) -> tuple[str, ...]:
        """What is called; then what else is of use to its sets of maps."""
        off_cpu = self.kind is Kind.OFF_CPU
        return ("off_cpu", OFF_CPU_LOOK, OFF_CPU_EXEC) if off_cpu else ("sample",)

    def settings(self, sizes: Sizes) -> abi.Settings:
        context = abi.Context.RECORD if self.kind is Kind.TRACEPOINT else abi.Context.REGISTERS
        return abi.Settings(
            use_ring=sizes.ring_bytes > 0,
            context=context,
            weighs=self.weighs,
            targeted=self.targeted,
            period=self.period,
            minimum_ns=self.minimum_ns,
        )


FRAME_POINTERS, DWARF = "fp", "dwarf"
"""How user stacks are walked: by the kernel, or by our program and the files' frame information."""

DWARF_SIZES = Sizes(stacks=4_096, ring_bytes=4 << 20)
"""Without user stacks in the stack maps, a quarter of the slots does for the kernel's. The ring
takes every user stack once, and of the first samples the stack's memory: up to 28 KiB each."""

OFF_CPU_SIZES = Sizes(stacks=1_024, ring_bytes=4 << 20)
"""The stack maps hold but the kernel's part of stacks that are saved."""

SHARED_MAPS = (
    *("unwind_processes", "unwind_mappings", "unwind_tables", "unwind_wanted", "unwind_epoch"),
    *("python_processes", "python_codes", "python_seen", "python_causes"),
)
"""What is known of processes and files, once for all programs. What a program is at has maps of its
own: an interrupt may run one within another."""

UNWIND_MAPS = (
    *("unwind_processes", "unwind_mappings", "unwind_tables", "unwind_wanted", "unwind_later"),
    "unwind_epoch",
    *("python_processes", "python_codes", "python_seen", "python_causes", "python_later"),
    # Not for us to use, but the kernel empties them when their last descriptor is closed.
    *("unwind_programs", "unwind_later_programs"),
)
UNWIND_LATER = "unwind_later_start"
"""The program that walks saved stacks."""

OFF_CPU_LOOK = "off_cpu_look"
"""The program that looks which thread its CPU runs."""

OFF_CPU_EXEC = "off_cpu_exec"
"""The program that forgets the number that a thread had before it executed a program."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A program in the kernel. It and its maps live until the descriptors are closed.

    `call_graph` is FRAME_POINTERS or DWARF; with the latter, `unwind` has the descriptors that an
    Unwinder asks for. `runs` are the programs that the event does not call. `problem` is why it
    is not DWARF where that would have been better.
    """

    loader: str
    program_fd: int
    maps: Mapping[str, int]
    sizes: Sizes
    call_graph: str = FRAME_POINTERS
    unwind: Mapping[str, int] = field(default_factory=dict)
    runs: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        own = self.maps, self.unwind, self.runs
        for fd in (self.program_fd, *(fd for fds in own for fd in fds.values())):
            os.close(fd)


def duplicates(fds: Sequence[int]) -> list[int]:
    """Descriptors of our own for what `fds` name; none stays open where one fails."""
    copies: list[int] = []
    try:
        for fd in fds:
            copies.append(os.dup(fd))
    except OSError:
        for copy in copies:
            os.close(copy)
        raise
    return copies


def refused(what: str) -> PrivilegeError:
    """The error for a kernel that lets only the privileged do `what`."""
    return PrivilegeError(
        f"the kernel refuses {what}: it needs CAP_BPF and CAP_PERFMON (root before Linux 5.8); "
        "run as root, or give the service these capabilities"
    )
