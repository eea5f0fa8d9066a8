"""What processes do, as the kernel reports it: records of perf's ring buffer.

The layouts are those of linux/perf_event.h (PERF_RECORD_COMM, _EXIT, _FORK, _MMAP2, _LOST), each
after its 8 byte header and before the `sample_id` of the event, which here is its time alone.
"""

import struct
from dataclasses import dataclass

from collector.processes.maps import Mapping

LOST, COMM, EXIT, FORK, MMAP2 = 2, 3, 4, 7, 10
"""Record types, linux/perf_event.h."""

_COMM_EXEC = 1 << 13
_MMAP_BUILD_ID = 1 << 14
_PROT_EXEC = 4

_ids = struct.Struct("=II")
_task = struct.Struct("=IIIIQ")
_mmap = struct.Struct("=IIQQQ24sII")
_inode = struct.Struct("=IIQQ")
_build_id = struct.Struct("=B3x20s")
_time = struct.Struct("=Q")


@dataclass(frozen=True, slots=True)
class Forked:
    """A process began as a copy of its parent: the same mappings, the same name."""

    time_ns: int
    pid: int
    parent: int


@dataclass(frozen=True, slots=True)
class Executed:
    """A process became another program: its mappings are gone, those of the new one follow."""

    time_ns: int
    pid: int
    comm: bytes


@dataclass(frozen=True, slots=True)
class Mapped:
    """A process mapped a file, or memory, that it can execute."""

    time_ns: int
    pid: int
    mapping: Mapping
    build_id: str = ""


@dataclass(frozen=True, slots=True)
class Exited:
    """The last thread of a process ended, or one of its threads: `thread` is not `pid` then."""

    time_ns: int
    pid: int
    thread: int


@dataclass(frozen=True, slots=True)
class Missed:
    """The ring was full: so many events of one CPU were not reported."""

    time_ns: int
    events: int


Event = Forked | Executed | Mapped | Exited | Missed


def parse(kind: int, misc: int, body: bytes) -> Event | None:
    """One record; None for those that say nothing about a process's code."""
    (time_ns,) = _time.unpack_from(body, len(body) - _time.size)
    if kind == MMAP2:
        return _mapped(time_ns, misc, body[: -_time.size])
    if kind == COMM and misc & _COMM_EXEC:
        pid, _ = _ids.unpack_from(body)
        return Executed(time_ns, pid, _text(body[_ids.size : -_time.size]))
    if kind in (FORK, EXIT):
        pid, parent, thread, _, _ = _task.unpack_from(body)
        if kind == EXIT:
            return Exited(time_ns, pid, thread)
        return Forked(time_ns, pid, parent) if pid == thread else None
    if kind == LOST:
        return Missed(time_ns, struct.unpack_from("=QQ", body)[1])
    return None


def _mapped(time_ns: int, misc: int, body: bytes) -> Mapped | None:
    pid, _, start, length, offset, file, protection, _ = _mmap.unpack_from(body)
    if not protection & _PROT_EXEC:
        return None
    build_id, device, inode = "", (0, 0), 0
    if misc & _MMAP_BUILD_ID:
        size, data = _build_id.unpack(file)
        build_id = data[: min(size, len(data))].hex()
    else:
        major, minor, inode, _ = _inode.unpack(file)
        device = (major, minor)
    path = _text(body[_mmap.size :])
    mapping = Mapping(start, start + length, offset, device, inode, path)
    return Mapped(time_ns, pid, mapping, build_id)


def _text(padded: bytes) -> bytes:
    return padded.partition(b"\0")[0]
