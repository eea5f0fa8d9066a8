"""Threads that do not stand back with the collector: somebody waits for what they do.

    prompt = Prompt()                       # before `priority.stand_back`
    prompt.start(session.run, "session")

Where more wants to run than there are CPUs, who stands back gets a tenth of one, and a second's
samples take it longer than a second to name. So these have the priority that the collector was
started with, until one has taken more than is allowed: then it stands back too, for good.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

from collector import priority
from collector.processes.procfs import read_bounded

ALLOWED_SECONDS, SHARE = 1.0, 0.1
"""Of a CPU: in advance, and of the time that has passed. A session at 999 Hz of one busy CPU takes
0.1; one of a whole host of two, 499 Hz for 5 s, took 1.0 s."""
LOOK_SECONDS = 0.25

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Allowance:
    """Seconds of a CPU, `at_once` and as a `share` of those that have passed."""

    at_once: float = ALLOWED_SECONDS
    share: float = SHARE


class Prompt:
    """Starts threads of the priority of who makes it: a thread has that of who starts it, and once
    it is lower, raising it takes a privilege. Looks at them while there are any."""

    def __init__(self, allowance: Allowance | None = None) -> None:
        self._allowance = allowance or Allowance()
        self._asked = SimpleQueue[tuple[threading.Thread, threading.Event]]()
        threading.Thread(target=self._run, name="prompt", daemon=True).start()

    def start(self, work: Callable[[], None], name: str) -> threading.Thread:
        """Returns once it runs; raises RuntimeError where there can be no more threads."""
        thread, started = threading.Thread(target=work, name=name, daemon=True), threading.Event()
        self._asked.put((thread, started))
        started.wait()
        if thread.ident is None:
            raise RuntimeError(f"no thread for {name}: as many as there may be")
        return thread

    def _run(self) -> None:
        since: dict[threading.Thread, float] = {}
        while True:
            with suppress(Empty):
                thread, started = self._asked.get(timeout=LOOK_SECONDS if since else None)
                with suppress(RuntimeError):  # a control group's pids.max, or RLIMIT_NPROC
                    thread.start()
                    since[thread] = time.monotonic()
                started.set()
            since = {
                thread: begun
                for thread, begun in since.items()
                if thread.is_alive() and not self._stands_back(thread, time.monotonic() - begun)
            }

    def _stands_back(self, thread: threading.Thread, seconds: float) -> bool:
        """From now on, if it has taken too much."""
        number = thread.native_id or 0
        if _taken_seconds(number) <= self._allowance.at_once + self._allowance.share * seconds:
            return False
        logger.info("%s takes more than it may at once: it goes on behind others", thread.name)
        priority.stand_back_thread(number)
        return True


def _taken_seconds(thread: int) -> float:
    """User and system time: fields 14 and 15 of /proc/PID/task/TID/stat (proc_pid_stat(5))."""
    text = read_bounded(Path("/proc/self/task") / str(thread) / "stat", 4096) or b""
    return sum(map(int, text.rpartition(b")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")
