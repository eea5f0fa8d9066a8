"""How the collector stands back behind what it measures.

Not as far as it can: who gets no CPU loses samples. Its share of a CPU that one other keeps busy is
a quarter at nice 5 and a seventieth at nice 19, and it needs up to a fiftieth, at the start more.
"""

import os
from contextlib import suppress
from pathlib import Path

from collector.kernel.syscalls import ioprio_set

NICE = 5
OOM_SCORE = 500
"""Of 1,000: before the services of the node, after the collector's own children. What was sampled
waits in the spool, and who starts us starts us again."""

_BEST_EFFORT, _LOWEST = 2, 7  # linux/ioprio.h
_SCORE = Path("/proc/self/oom_score_adj")


def stand_back() -> None:
    """For the thread that calls it, and those and the children that it starts from then on.

    As a batch process it gets its share, but never takes a CPU from who runs just because it has
    woken up. Disks serve it last, but do serve it: the spool waits for what it writes.
    """
    stand_back_thread(0)
    with suppress(OSError):
        ioprio_set(_BEST_EFFORT, _LOWEST)
    with suppress(OSError, ValueError):
        if int(_SCORE.read_text()) < OOM_SCORE:
            _SCORE.write_text(str(OOM_SCORE))


def stand_back_thread(number: int) -> None:
    """Another one of this process, or with 0 that which calls; what it starts from then on too."""
    with suppress(OSError):  # it has ended
        nice = os.getpriority(os.PRIO_PROCESS, number)
        os.setpriority(os.PRIO_PROCESS, number, max(nice, NICE))
    with suppress(OSError):
        os.sched_setscheduler(number, os.SCHED_BATCH, os.sched_param(0))


def lower_to(nice: int) -> None:
    """A priority that is lower already stays."""
    os.nice(max(nice - os.nice(0), 0))
