"""Perf events that run the sampling program: one a CPU, or one a thread of chosen processes."""

import ctypes
import errno
import fcntl
import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from collector.kernel import cpus, syscalls
from collector.kernel.program import refused
from profiler.errors import ProfilerError, UnavailableError, UsageError

# linux/perf_event.h: bits of perf_event_attr, and requests of ioctl(2).
_DISABLED, _INHERIT, _FREQUENCY, _ENABLE_ON_EXEC = 1 << 0, 1 << 1, 1 << 10, 1 << 12
EXCLUDE_USER, EXCLUDE_KERNEL = 1 << 4, 1 << 5
ENABLE, DISABLE, SET_BPF = 0x2400, 0x2401, 0x40042408

_NO_SUCH_EVENT = (errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP, errno.EINVAL)
_MAX_RATE = Path("/proc/sys/kernel/perf_event_max_sample_rate")
TIME_ENABLED = 1 << 0
_COUNT = struct.Struct("=QQ")


class Attributes(ctypes.Structure):
    """`struct perf_event_attr` of Linux 4.1, with the choice of a clock."""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("config", ctypes.c_uint64),
        ("sample_frequency", ctypes.c_uint64),  # or its period
        ("sample_type", ctypes.c_uint64),
        ("read_format", ctypes.c_uint64),
        ("flags", ctypes.c_uint64),
        ("wakeup_events", ctypes.c_uint32),
        ("bp_type", ctypes.c_uint32),
        ("config1", ctypes.c_uint64),
        ("config2", ctypes.c_uint64),
        ("branch_sample_type", ctypes.c_uint64),
        ("sample_regs_user", ctypes.c_uint64),
        ("sample_stack_user", ctypes.c_uint32),
        ("clockid", ctypes.c_int32),
    )


@dataclass(frozen=True, slots=True)
class Counter:
    """What the kernel counts until the next sample, which comes after `period` of it; 0: after so
    many that there are as many a second as a frequency says. `config1` and `config2` go on where
    `config` ends; `cpus` are those that have it, None: all."""

    name: str
    type: int
    config: int
    flags: int = 0
    period: int = 0
    config1: int = 0
    config2: int = 0
    cpus: frozenset[int] | None = None


CYCLES = Counter("cycles", type=0, config=0)
"""The CPU's own counter. Its interrupts also reach code that has interrupts disabled. The kernel
steers its period towards the frequency, so the time of one sample is an estimate."""

CPU_CLOCK = Counter("cpu-clock", type=1, config=0)
"""A timer of each CPU with the exact period 10^9 // frequency ns; every machine has it."""


def clock(frequency_hz: int) -> Counter:
    """`cycles` where this machine has it, else `cpu-clock`."""
    return CYCLES if available(CYCLES, frequency_hz) else CPU_CLOCK


def available(event: Counter, frequency_hz: int) -> bool:
    """Whether the machine has this event. Raises PrivilegeError where the kernel refuses all, and
    UsageError for a frequency that it does not admit."""
    try:
        os.close(open_event(event, frequency_hz, pid=-1, cpu=cpus.online()[0]))
    except OSError as error:
        problem = explained(error, event, frequency_hz)
        if error.errno in _NO_SUCH_EVENT and not isinstance(problem, UsageError):
            return False
        raise problem from error
    return True


def explained(error: OSError, event: Counter, frequency_hz: int) -> ProfilerError:
    """What a failed perf_event_open means."""
    if error.errno in (errno.EPERM, errno.EACCES):
        return refused("perf events")
    if error.errno == errno.EMFILE:
        return ProfilerError("too many open files: raise the limit (ulimit -n)")
    limit = int(_MAX_RATE.read_text()) if _MAX_RATE.exists() else frequency_hz
    if frequency_hz > limit:
        return UsageError(
            f"frequency {frequency_hz} Hz is above kernel.perf_event_max_sample_rate = {limit}: "
            "choose a lower one, or raise the sysctl"
        )
    if error.errno in _NO_SUCH_EVENT:
        return UnavailableError(
            f"event {event.name}: this machine does not count it ({error.strerror}); virtual"
            " machines mostly have no hardware counters: cpu-clock and page-faults are always there"
        )
    return ProfilerError(f"no {event.name} event at {frequency_hz} Hz: {error.strerror}")


def open_event(event: Counter, frequency_hz: int, pid: int, cpu: int, flags: int = 0) -> int:
    """A disabled event's descriptor; pid -1 is every process, cpu -1 every CPU."""
    attributes = Attributes(
        type=event.type,
        size=ctypes.sizeof(Attributes),
        config=event.config,
        config1=event.config1,
        config2=event.config2,
        sample_frequency=event.period or frequency_hz,
        read_format=TIME_ENABLED,
        flags=_DISABLED | (0 if event.period else _FREQUENCY) | event.flags | flags,
    )
    return syscalls.perf_event_open(attributes, pid, cpu)


class Followed:
    """The CPUs that have an event, of those that are online now: CPUs come and go.

    An event ends with its CPU, and neither its descriptor nor the list of CPUs tells when that is
    back soon; but the time for which it was enabled stands still. So every event must have
    TIME_ENABLED, and be enabled when it is looked at.
    """

    def __init__(self) -> None:
        self._enabled_ns: dict[int, int] = {}

    def changes(self, fds: Mapping[int, int], online: Sequence[int]) -> tuple[list[int], list[int]]:
        """CPUs whose event (`fds`, by CPU) has ended, and those which need one."""
        ended = [cpu for cpu, fd in fds.items() if cpu not in online or self._stands_still(cpu, fd)]
        for cpu in ended:
            self._enabled_ns.pop(cpu, None)
        return ended, [cpu for cpu in online if cpu not in fds or cpu in ended]

    def _stands_still(self, cpu: int, fd: int) -> bool:
        enabled_ns: int = _COUNT.unpack(os.read(fd, _COUNT.size))[1]
        before, self._enabled_ns[cpu] = self._enabled_ns.get(cpu), enabled_ns
        return before == enabled_ns


class Events:
    """Events that run one program, from entry to exit. Keyed by CPU, or by thread."""

    def __init__(self, program_fd: int, event: Counter, frequency_hz: int) -> None:
        self._program_fd = program_fd
        self._event = event
        self._frequency_hz = frequency_hz
        self._fds: dict[int, int] = {}
        self._followed = Followed()
        self._enabled = False

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
        for number in list(self._fds):
            os.close(self._fds.pop(number))

    def at(self, frequency_hz: int) -> Self:
        """Others that run the program, enabled from the start, at another frequency."""
        others = type(self)(self._program_fd, self._event, frequency_hz)
        others._enabled = True
        return others

    def follow_cpus(self, online: Sequence[int]) -> None:
        """An event on every CPU that is online now and has it. For the whole system."""
        having = self._event.cpus
        online = [cpu for cpu in online if having is None or cpu in having]
        ended, lacking = self._followed.changes(self._fds, online)
        for cpu in ended:
            os.close(self._fds.pop(cpu))
        for cpu in lacking:
            # ENODEV: it went offline just now.
            self._open(cpu, pid=-1, cpu=cpu, vanished=errno.ENODEV)

    def follow_process(self, pid: int, *, on_exec: bool = False) -> bool:
        """An event on every thread of a process, which its later threads and children inherit;
        False where there is no such process.

        With `on_exec`, sampling begins when the process executes another program, and `enable`
        must not be called. A thread born between our listing and its parent's event is missed.
        """
        flags = _INHERIT | (_ENABLE_ON_EXEC if on_exec else 0)
        threads = threads_of(pid)
        for tid in threads:
            # ESRCH: the thread ended just now.
            self._open(tid, pid=tid, cpu=-1, flags=flags, vanished=errno.ESRCH)
        return bool(threads)

    def enable(self) -> None:
        self._enabled = True
        self._control(ENABLE)

    def disable(self) -> None:
        """After it no program runs nor starts: the kernel asks the event's CPU, and waits."""
        self._enabled = False
        self._control(DISABLE)

    def _control(self, request: int) -> None:
        for fd in self._fds.values():
            fcntl.ioctl(fd, request, 0)

    def _open(self, number: int, pid: int, cpu: int, vanished: int, flags: int = 0) -> None:
        try:
            fd = open_event(self._event, self._frequency_hz, pid, cpu, flags)
        except OSError as error:
            if error.errno == vanished:
                return
            raise explained(error, self._event, self._frequency_hz) from error
        self._fds[number] = fd
        fcntl.ioctl(fd, SET_BPF, self._program_fd)
        if self._enabled:
            fcntl.ioctl(fd, ENABLE, 0)


def threads_of(pid: int) -> list[int]:
    try:
        return [int(entry.name) for entry in Path(f"/proc/{pid}/task").iterdir()]
    except (FileNotFoundError, ProcessLookupError):
        return []
