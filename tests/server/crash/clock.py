"""A clock on which days pass in seconds, the same in all processes."""

import time
from dataclasses import dataclass

from server.store.hours import HOUR_NS
from tests.server.drains import MIDNIGHT

SPEED = 3600
"""Seconds a second: a batch that waits for a restarted server is late by hours."""

BEGINNING = MIDNIGHT - 4 * HOUR_NS
"""So that the first day is over, and summed up, when a short run is not."""


@dataclass(frozen=True, slots=True)
class FastClock:
    """At BEGINNING when time.time_ns() was `began_ns`; stands still after `seconds`, so that
    what is delivered then is not too old."""

    began_ns: int
    seconds: float

    def now_ns(self) -> int:
        elapsed_ns = min(time.time_ns() - self.began_ns, int(self.seconds * 1e9))
        return BEGINNING + elapsed_ns * SPEED

    def monotonic_ns(self) -> int:
        return self.now_ns()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / SPEED)
