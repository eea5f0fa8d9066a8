"""A clock that only moves when somebody sleeps."""

SECOND_NS = 1_000_000_000


class FakeClock:
    def __init__(self, now_ns: int = 0, stop_after: int = 1 << 30) -> None:
        """`stop_after`: it stops in the sleep of this number, counted from 0."""
        self.slept: list[float] = []
        self._now_ns = now_ns
        self._monotonic_ns = 0
        self._stop_after = stop_after

    @property
    def stopped(self) -> bool:
        return len(self.slept) > self._stop_after

    def now_ns(self) -> int:
        return self._now_ns + self._monotonic_ns

    def monotonic_ns(self) -> int:
        return self._monotonic_ns

    def sleep(self, seconds: float) -> None:
        if self.stopped:
            return
        self.slept.append(seconds)
        self.pass_by(seconds)

    def pass_by(self, seconds: float) -> None:
        self._monotonic_ns += round(seconds * SECOND_NS)
