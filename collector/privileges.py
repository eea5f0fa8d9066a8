"""What the collector may do: the capabilities that it keeps, and what each is for.

    give_up_others()      the collector, before it starts a thread
    give_up_all()         a child that reads what others wrote
    with passed_on(…):    a child that needs one of them is started

Whatever packages the collector gives it `NEEDED`, and `AS_ROOT` where it has to be root; a test
compares deploy/ with these lists. A capability belongs to a thread, and passes to the threads that
it starts later.
"""

import ctypes
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Capability:
    """`bit` as in linux/capability.h. `purpose` is what it is for, `lacking` what there is without
    it; where it is `essential`, that is nothing."""

    name: str
    bit: int
    purpose: str
    lacking: str
    essential: bool = False


BPF = Capability(
    "CAP_BPF", 39, "loading the sampling program and its maps", "no samples", essential=True
)
PERFMON = Capability(
    "CAP_PERFMON",
    38,
    "sampling all processes, and reading their stacks in the kernel",
    "no samples",
    essential=True,
)
SYS_PTRACE = Capability(
    "CAP_SYS_PTRACE",
    19,
    "mappings and environment of other users' processes, memory of Python interpreters",
    "stacks of other users' processes are cut short, without names, their services unknown",
)
DAC_READ_SEARCH = Capability(
    "CAP_DAC_READ_SEARCH",
    2,
    "programs and libraries that others may not read",
    "their stacks are cut short, without names",
)
CHECKPOINT_RESTORE = Capability(
    "CAP_CHECKPOINT_RESTORE",
    40,
    "mapped files that were deleted or replaced (/proc/PID/map_files)",
    "no names and no tables of them, as after an upgrade",
)
SYSLOG = Capability(
    "CAP_SYSLOG", 34, "the names of the kernel's functions", "frames of the kernel are [unknown]"
)
SYS_ADMIN = Capability(
    "CAP_SYS_ADMIN",
    21,
    "all that newer kernels call CAP_BPF, CAP_PERFMON and CAP_CHECKPOINT_RESTORE",
    "no samples",
    essential=True,
)
SETUID = Capability(
    "CAP_SETUID", 7, "letting the child that reads symbols become nobody", "it stays root"
)
SETGID = Capability("CAP_SETGID", 6, SETUID.purpose, SETUID.lacking)
KILL = Capability("CAP_KILL", 5, "ending that child", "it stays when it hangs")

NEEDED = (BPF, PERFMON, SYS_PTRACE, DAC_READ_SEARCH, CHECKPOINT_RESTORE, SYSLOG)
AS_ROOT = (SETUID, SETGID, KILL)
"""Kept by root for its child: one that cannot become another user owns what root owns."""

_ONCE_SYS_ADMIN = (BPF, PERFMON, CHECKPOINT_RESTORE)
"""In 5.8 and 5.9 these were taken out of CAP_SYS_ADMIN, which still implies them."""

_LAST = Path("/proc/sys/kernel/cap_last_cap")  # since Linux 3.2

# linux/capability.h, linux/prctl.h
_VERSION_3 = 0x20080522
_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 38, 47
_AMBIENT_RAISE, _AMBIENT_CLEAR_ALL = 2, 4

_libc = ctypes.CDLL(None, use_errno=True)
_libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]


def mask(capabilities: Iterable[Capability]) -> int:
    return sum(1 << capability.bit for capability in capabilities)


def needed(last: int | None = None) -> tuple[Capability, ...]:
    """Those of a kernel whose newest capability is `last`, this one's if it is not given."""
    newest = int(_LAST.read_text()) if last is None else last
    known = tuple(capability for capability in NEEDED if capability.bit <= newest)
    return known if BPF in known else (SYS_ADMIN, *known)


def to_keep(held: int, wanted: Iterable[Capability]) -> int:
    """Which of those that are `held` serve; CAP_SYS_ADMIN alone where it stands for others."""
    keep = 0
    for capability in wanted:
        if held >> capability.bit & 1:
            keep |= 1 << capability.bit
        elif capability in _ONCE_SYS_ADMIN:
            keep |= held & 1 << SYS_ADMIN.bit
    return keep


def lacking() -> list[Capability]:
    """Those that are needed and that this thread does not have."""
    return [one for one in needed() if not to_keep(held(), (one,))]


def held() -> int:
    """The mask of what is in effect for this thread."""
    return _capabilities()[0]


def give_up_others() -> None:
    """Keeps what is needed of what this process was started with, for good. For the thread that
    calls it, and those that it starts from then on."""
    _, permitted, _ = _capabilities()
    keep = to_keep(permitted, (*needed(), *(AS_ROOT if os.geteuid() == 0 else ())))
    _set(keep, keep, 0)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def give_up_all() -> None:
    """For a child that needs nothing but the descriptors that it is handed."""
    _set(0, 0, 0)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


@contextmanager
def passed_on(*capabilities: Capability) -> Iterator[None]:
    """Programs that this thread starts in the block have these of ours, as whichever user."""
    effective, permitted, inheritable = _capabilities()
    passed = effective & mask(capabilities)
    _set(effective, permitted, inheritable | passed)
    try:
        for capability in capabilities:
            if passed >> capability.bit & 1:
                _prctl(_PR_CAP_AMBIENT, _AMBIENT_RAISE, capability.bit)
        yield
    finally:
        _prctl(_PR_CAP_AMBIENT, _AMBIENT_CLEAR_ALL)
        _set(effective, permitted, inheritable)


def _capabilities() -> tuple[int, int, int]:
    """In effect, permitted, inheritable."""
    header, data = (ctypes.c_uint32 * 2)(_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    _check(_libc.capget(header, data))
    effective, permitted, inheritable = (data[n] | data[n + 3] << 32 for n in range(3))
    return effective, permitted, inheritable


def _set(effective: int, permitted: int, inheritable: int) -> None:
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    sets = (effective, permitted, inheritable)
    data = (ctypes.c_uint32 * 6)(*(s & 0xFFFFFFFF for s in sets), *(s >> 32 for s in sets))
    _check(_libc.capset(header, data))


def _prctl(option: int, first: int, second: int = 0) -> None:
    _check(_libc.prctl(option, first, second, 0, 0))


def _check(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
