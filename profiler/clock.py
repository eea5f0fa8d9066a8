"""Time as an argument: whoever waits or stamps takes a Clock, so that tests need not sleep."""

import time
from typing import Protocol


class Clock(Protocol):
    def now_ns(self) -> int:
        """Unix time in nanoseconds; may jump."""

    def monotonic_ns(self) -> int:
        """Nanoseconds from an unspecified start; never goes back."""

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clock."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
