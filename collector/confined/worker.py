"""The child's side: gives up what reading files does not need, then answers one after the other."""

import os
import resource
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from collector import memory, priority, privileges

MAX_ANSWER = 200
"""Bytes of an answer."""
_NOBODY = 65534

Answer = Callable[[bytes, int, int], str]
"""`answer(message, source, target)`: reads one descriptor, writes the other, says what came of
it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`cpu_seconds` are for one file. `nice` is the priority."""

    heap_bytes: int
    cpu_seconds: int
    nice: int = 0


def serve(answer: Answer, limits: Limits) -> None:
    """Answers until the parent hangs up."""
    privileges.give_up_all()
    # Where a thread has started us that does not stand back: as the collector's first one does.
    priority.lower_to(max(limits.nice, os.getpriority(os.PRIO_PROCESS, os.getppid())))
    limit(resource.RLIMIT_DATA, limits.heap_bytes)
    limit(resource.RLIMIT_CORE, 0)
    parent = socket.socket(fileno=0)
    while True:
        message, descriptors, _, _ = socket.recv_fds(parent, 16, 2)
        if not message or len(descriptors) != 2:
            return
        used = resource.getrusage(resource.RUSAGE_SELF)
        limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + limits.cpu_seconds)
        text = answer(message, *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        memory.give_back_freed()
        parent.send(b"!" + text.encode()[:MAX_ANSWER])  # an empty message would be an end


def limit(kind: int, amount: int) -> None:
    """Sets a soft limit, below the hard one that we may have been started with."""
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (amount if hard < 0 else min(amount, hard), hard))


def die_first() -> None:
    """Where memory is short, before the collector. To be called first: who has become another user
    may not say so any more."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def become_nobody() -> None:
    """As another user than root, it has little. Only root can, and only with what it keeps for
    this (`privileges.AS_ROOT`); others have the little of the collector's user."""
    with suppress(OSError):
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
