"""Becomes py-spy, bounded, and with the collector's life.

    python -I -S launcher.py COLLECTOR_PID CAPABILITIES PROGRAM ARGUMENT…

CAPABILITIES, in hexadecimal digits, are all that it keeps. It imports nothing of ours, and starts
in 30 ms.
"""

import ctypes
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path

NICE = 5
"""A quarter of a CPU that one other keeps busy: of a process that takes all there is, py-spy must
still see enough. It uses 1 to 2 % of one."""
MAX_DATA_BYTES = 256 << 20
"""It has 6 MB, and with the symbols of a large program some 50."""
MAX_CPU_SECONDS = 3
"""It uses 0.3 s in 10 s at 41 frames. A stack of 1,000 would take half of a CPU."""
MAX_REPORT_BYTES = 8 << 20

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38  # linux/prctl.h
_CAPABILITY_VERSION_3 = 0x20080522  # linux/capability.h


def main(collector: str, capabilities: str, program: str, *arguments: str) -> None:
    for number in (signal.SIGINT, signal.SIGXFSZ):  # Python has handlers for them
        signal.signal(number, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(collector):  # it has ended before it could take us along
        return
    os.nice(max(NICE - os.nice(0), 0))
    _limit(resource.RLIMIT_DATA, MAX_DATA_BYTES)
    _limit(resource.RLIMIT_CPU, MAX_CPU_SECONDS)
    _limit(resource.RLIMIT_FSIZE, MAX_REPORT_BYTES)
    _limit(resource.RLIMIT_CORE, 0)
    with suppress(OSError):  # where memory is short, it dies before the collector
        Path("/proc/self/oom_score_adj").write_text("1000")
    _keep(int(capabilities, 16))
    os.execv(program, [program, *arguments])


def _keep(capabilities: int) -> None:
    """Of those that we have. As root we were started with all of the collector's."""
    libc = ctypes.CDLL(None)
    header, data = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    libc.capget(header, data)
    for number in range(6):  # two halves of each: in effect, permitted, inheritable
        data[number] &= capabilities >> 32 * (number // 3) & 0xFFFFFFFF
    libc.capset(header, data)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)  # root's programs would have them all again


def _limit(kind: int, amount: int) -> None:
    """Below the hard limit that we may have been started with."""
    _, hard = resource.getrlimit(kind)
    amount = amount if hard < 0 else min(amount, hard)
    resource.setrlimit(kind, (amount, amount))


if __name__ == "__main__":
    main(*sys.argv[1:])
