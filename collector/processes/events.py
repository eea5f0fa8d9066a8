"""What processes do, as the kernel reports it: records of perf's ring buffer.

The layouts are those of linux/perf_event.h (PERF_RECORD_LOST, _COMM, _EXIT, _FORK, _MMAP2), each
after its 8 byte header and before the `sample_id` of the event, which here is its time alone.
"""

import struct
from typing import NamedTuple

from collector.processes.maps import Mapping

LOST, COMM, EXIT, FORK, MMAP2 = 2, 3, 4, 7, 10
"""Record types, linux/perf_event.h."""

_COMM_EXEC = 1 << 13
_PROT_EXEC = 4

_ids = struct.Struct("=II")
_task = struct.Struct("=IIIIQ")
_mmap = struct.Struct("=IIQQQIIQQII")
_lost = struct.Struct("=QQ")
_time = struct.Struct("=Q")


class Forked(NamedTuple):
    """A process began as a copy of its parent: the same mappings, the same name."""

    time_ns: int
    pid: int
    parent: int


class Executed(NamedTuple):
    """A process became another program: its mappings are gone, those of the new one follow."""

    time_ns: int
    pid: int
    comm: bytes


class Mapped(NamedTuple):
    """A process mapped a file, or memory, that it can execute."""

    time_ns: int
    pid: int
    mapping: Mapping


class Exited(NamedTuple):
    """The first thread of a process ended, and nearly always the process with it."""

    time_ns: int
    pid: int


class Missed(NamedTuple):
    """The ring was full: so many events of one CPU were not reported."""

    time_ns: int
    events: int


Event = Forked | Executed | Mapped | Exited | Missed


def parse(kind: int, misc: int, body: bytes) -> Event | None:
    """One record; None for those that say nothing of a process's code."""
    (time_ns,) = _time.unpack_from(body, len(body) - _time.size)
    if kind == MMAP2:
        return _mapped(time_ns, body[: -_time.size])
    if kind == COMM and misc & _COMM_EXEC:
        pid, _ = _ids.unpack_from(body)
        return Executed(time_ns, pid, _text(body[_ids.size : -_time.size]))
    if kind in (FORK, EXIT):
        pid, parent, thread, _, _ = _task.unpack_from(body)
        if pid != thread:
            return None
        return Forked(time_ns, pid, parent) if kind == FORK else Exited(time_ns, pid)
    if kind == LOST:
        return Missed(time_ns, _lost.unpack_from(body)[1])
    return None


def _mapped(time_ns: int, body: bytes) -> Mapped | None:
    fields = _mmap.unpack_from(body)
    pid, _, start, length, offset, major, minor, inode, _, protection, _ = fields
    if not protection & _PROT_EXEC:
        return None
    path = _text(body[_mmap.size :])
    device = (major, minor)
    return Mapped(time_ns, pid, Mapping(start, start + length, offset, device, inode, path))


def _text(padded: bytes) -> bytes:
    return padded.partition(b"\0")[0]
