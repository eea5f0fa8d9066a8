"""Facts about a process from the text of /proc/PID/stat and /proc/PID/status (see proc(5)).

1234 (kworker/0:1) I 2 0 0 0 -1 69238880 …
"""

from dataclasses import dataclass

from collector.processes.text import printable

PF_KTHREAD = 0x0020_0000
"""include/linux/sched.h: a thread of the kernel, without user memory."""


@dataclass(frozen=True, slots=True)
class Stat:
    """`start_ticks` since boot tells two processes apart that had the same pid in turn."""

    comm: str
    kernel_thread: bool
    start_ticks: int


@dataclass(frozen=True, slots=True)
class Status:
    """`uid` is the effective one, `namespace_pid` the pid as the process itself sees it."""

    uid: int
    namespace_pid: int


def parse_stat(text: bytes) -> Stat | None:
    """None for a text that is cut. The name may hold any byte, so the *last* `)` ends it."""
    head, _, tail = text.rpartition(b")")
    fields = tail.split()
    if len(fields) < 20:
        return None
    try:
        flags, start_ticks = int(fields[6]), int(fields[19])
    except ValueError:
        return None
    return Stat(printable(head.partition(b"(")[2]), bool(flags & PF_KTHREAD), start_ticks)


def parse_status(text: bytes) -> Status | None:
    """None for a text without the two. Older kernels (before 4.1) have no NSpid."""
    fields = dict(line.split(b":", 1) for line in text.splitlines() if b":" in line)
    try:
        uid = int(fields[b"Uid"].split()[1])
        pids = fields[b"NSpid"] if b"NSpid" in fields else fields[b"Pid"]
        return Status(uid, int(pids.split()[-1]))
    except (KeyError, IndexError, ValueError):
        return None


def executable_name(link: bytes) -> str:
    """The base name that /proc/PID/exe points to, "" where it points nowhere."""
    return printable(link.removesuffix(b" (deleted)").rpartition(b"/")[2])
