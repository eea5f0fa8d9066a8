"""The choice between the loaders of the one program.

with load("auto") as loaded:
    loaded.program_fd, loaded.maps["counts_0"]
"""

from dataclasses import replace
from pathlib import Path

from collector.kernel import bcc, libbpf, ring
from collector.kernel.program import Loaded, Sizes
from profiler.errors import PrivilegeError, ProfilerError, UnavailableError, UsageError

LOADERS = {libbpf.NAME: libbpf.load, bcc.NAME: bcc.load}
"""In the order of preference: libbpf needs a hundredth of the time."""

_MAX_STACK = Path("/proc/sys/kernel/perf_event_max_stack")


def load(name: str = "auto", sizes: Sizes | None = None) -> Loaded:
    """Loads the program by `libbpf`, `bcc`, or `auto`: the first of them that can.

    Raises PrivilegeError where the kernel refuses, and UnavailableError with the reason of each
    loader where none can.
    """
    fitting = fit(sizes or Sizes())
    if name in LOADERS:
        return LOADERS[name](fitting)
    if name != "auto":
        raise UsageError(f"no loader {name!r}: expected auto, {' or '.join(LOADERS)}")
    reasons = []
    for loader in LOADERS.values():
        try:
            return loader(fitting)
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
