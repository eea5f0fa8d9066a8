"""Loading through bcc: where there is no libbpf or no compiled object, on kernels from 4.9 on.

bcc brings clang into the process that imports it (120 MB), and belongs to the distribution's
Python, not to ours. So a child compiles and loads, passes the descriptors home over a socket,
and ends.
"""

import json
import os
import socket
import subprocess
import sys

from collector import privileges
from collector.kernel import bcc_child, files
from collector.kernel.program import Kind, Loaded, Program, Sizes, refused
from profiler.errors import ProfilerError, UnavailableError

NAME = "bcc"
SOURCE = "profile.bcc.c"
# Our stand-in for the kernel's headers: a perf_event program needs no more, it compiles in a
# tenth of the time, and bcc then needs no headers on the node.
HEADERS = "bcc-headers"
PYTHONS = ("/usr/bin/python3", "/usr/local/bin/python3", sys.executable)
# clang takes 0.3 s on a fast machine; a throttled container may need 50 times that.
_TIMEOUT_S = 60
_REFUSALS = ("Operation not permitted", "super-user")  # "Permission denied" is the verifier's


def load(sizes: Sizes, program: Program | None = None) -> Loaded:
    """Compiles and loads the program with maps of these sizes. Raises UnavailableError for what it
    is not compiled for: the collector's stand-ins for headers know neither the kernel's structures
    nor what a perf event's program is called with."""
    program = program or Program()
    if program.kind is Kind.OFF_CPU or program.targeted or program.weighs:
        raise UnavailableError(f"loader {NAME} cannot load this event: choose libbpf")
    for python in PYTHONS:
        if os.access(python, os.X_OK):
            loaded = _load_with(python, sizes, program)
            if loaded:
                return loaded
    raise UnavailableError(
        f"none of {', '.join(PYTHONS)} can import bcc: apt-get install python3-bpfcc"
    )


def _load_with(python: str, sizes: Sizes, program: Program) -> Loaded | None:
    """None where this Python has no bcc."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        done = _run(python, _request(sizes, program, theirs.fileno()), theirs.fileno())
        if done.returncode == bcc_child.NO_BCC:
            return None
        if done.returncode != 0:
            raise _explained(done.stdout + done.stderr)
        ours.setblocking(False)  # the child has ended: what it sent is there
        count = 1 + len(sizes.map_names)
        _, fds, _, _ = socket.recv_fds(ours, 1, count, socket.MSG_CMSG_CLOEXEC)
    return Loaded(NAME, fds[0], dict(zip(sizes.map_names, fds[1:], strict=True)), sizes)


def _request(sizes: Sizes, program: Program, socket_fd: int) -> str:
    source = files.find(SOURCE)
    constants = {
        "STACKS": sizes.stacks,
        "COUNTS": sizes.counts,
        "DEPTH": sizes.depth,
        "RING_BYTES": sizes.ring_bytes,
        "PERIOD": program.period,
    }
    flags = [f"-I{source.parent}", *(f"-D{name}={value}" for name, value in constants.items())]
    return json.dumps(
        {
            "socket": socket_fd,
            "source": str(source),
            "flags": flags,
            "maps": sizes.map_names,
            "type": program.kind.value,
        }
    )


def _run(python: str, request: str, socket_fd: int) -> subprocess.CompletedProcess[str]:
    # -I: neither the environment's nor the working directory's modules, but Debian's.
    command = [python, "-I", bcc_child.__file__, request]
    headers = {"BCC_KERNEL_SOURCE": str(files.find(HEADERS)), **os.environ}
    try:
        with privileges.passed_on(privileges.BPF, privileges.PERFMON, privileges.SYS_ADMIN):
            return subprocess.run(
                command,
                pass_fds=[socket_fd],
                env=headers,
                capture_output=True,
                text=True,
                errors="backslashreplace",
                timeout=_TIMEOUT_S,
            )
    except subprocess.TimeoutExpired:
        raise ProfilerError(f"bcc: {python} did not compile within {_TIMEOUT_S} s") from None


def _explained(output: str) -> ProfilerError:
    if any(word in output for word in _REFUSALS):
        return refused("to load BPF programs")
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line] or lines[-1:] or ["it says nothing"]
    return ProfilerError(f"bcc cannot load {SOURCE}: {errors[0]}")
