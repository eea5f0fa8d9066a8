"""A clock on which days pass in seconds, the same in all processes."""

import time
from dataclasses import dataclass

from tests.server.drains import MIDNIGHT

SPEED = 4 * 3600
"""Seconds a second: a run of 20 s goes through three days, so that every horizon moves; a batch
that waits for a restarted server is late by hours."""


@dataclass(frozen=True, slots=True)
class FastClock:
    """Began at MIDNIGHT when time.time_ns() was `began_ns`, and stands still after `seconds`, so
    that nothing is too old for being late then."""

    began_ns: int
    seconds: float

    def now_ns(self) -> int:
        elapsed_ns = min(time.time_ns() - self.began_ns, int(self.seconds * 1e9))
        return MIDNIGHT + elapsed_ns * SPEED

    def monotonic_ns(self) -> int:
        return self.now_ns()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / SPEED)
