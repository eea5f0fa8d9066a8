"""The choice between the loaders of the one program.

with load("auto") as loaded:
    loaded.program_fd, loaded.maps["counts_0"]
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from collector.kernel import bcc, libbpf, ring
from collector.kernel.program import (
    DWARF,
    DWARF_SIZES,
    FRAME_POINTERS,
    OFF_CPU_SIZES,
    Kind,
    Loaded,
    Program,
    Sizes,
)
from profiler.errors import PrivilegeError, ProfilerError, UnavailableError, UsageError

Load = Callable[[Sizes, Program], Loaded]

LOADERS: dict[str, Load] = {
    libbpf.NAME: lambda sizes, program: libbpf.load(sizes, FRAME_POINTERS, program),
    bcc.NAME: bcc.load,
}
"""In the order of preference: libbpf needs a hundredth of the time."""

_MAX_STACK = Path("/proc/sys/kernel/perf_event_max_stack")


CALL_GRAPHS = ("auto", FRAME_POINTERS, DWARF)


def load(
    name: str = "auto",
    sizes: Sizes | None = None,
    call_graph: str = FRAME_POINTERS,
    program: Program | None = None,
) -> Loaded:
    """Loads a program by `libbpf`, `bcc`, or `auto`: the first of them that can.

    `call_graph` is `fp`, `dwarf`, or `auto`: the latter where this kernel takes it, else `fp` and
    the result says why. Raises PrivilegeError where the kernel refuses, and UnavailableError with
    the reason of each loader where none can.
    """
    if call_graph not in CALL_GRAPHS:
        raise UsageError(f"no call graph {call_graph!r}: expected {', '.join(CALL_GRAPHS)}")
    program = program or Program()
    usual = OFF_CPU_SIZES if program.kind is Kind.OFF_CPU else None
    walked_by_kernel = fit(sizes or usual or Sizes())
    if call_graph == FRAME_POINTERS:
        return _load(name, walked_by_kernel, program)
    try:
        return _load_dwarf(name, fit(sizes or usual or DWARF_SIZES), program)
    except PrivilegeError:
        raise
    except ProfilerError as error:
        if call_graph == DWARF:
            raise
        return replace(_load(name, walked_by_kernel, program), problem=str(error))


def _load_dwarf(name: str, fitting: Sizes, program: Program) -> Loaded:
    if name == bcc.NAME:
        raise UnavailableError(f"loader {name} walks by frame pointers alone: choose libbpf")
    if not fitting.ring_bytes:
        raise UnavailableError("walking by call frame information needs a ring buffer (Linux 5.8)")
    return libbpf.load(fitting, DWARF, program)


def _load(name: str, fitting: Sizes, program: Program) -> Loaded:
    if name in LOADERS:
        return LOADERS[name](fitting, program)
    if name != "auto":
        raise UsageError(f"no loader {name!r}: expected auto, {' or '.join(LOADERS)}")
    reasons = []
    for loader in LOADERS.values():
        try:
            return loader(fitting, program)
        except PrivilegeError:
            raise
        except ProfilerError as error:
            reasons.append(str(error))
    raise UnavailableError(f"no BPF loader works: {'; '.join(reasons)}")


def fit(sizes: Sizes) -> Sizes:
    """The sizes that this kernel admits: its own depth, and no ring before 5.8."""
    if _MAX_STACK.exists():
        sizes = replace(sizes, depth=min(sizes.depth, int(_MAX_STACK.read_text())))
    if sizes.ring_bytes and not ring.supported():
        sizes = replace(sizes, ring_bytes=0)
    return sizes
