"""The collector's loop: drain, export, wait. Time and its end arrive as a Clock."""

import logging
import signal
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Protocol

from collector.delivery import Exporter
from collector.sources import SampleSource
from profiler.clock import Clock, SystemClock
from profiler.model import Drain
from profiler.timerange import SECOND

FIRST_DRAIN_NS = 2 * SECOND
"""Who starts a collector looks at the page at once, so the first interval is drained in parts:
after 2, 4 and 8 seconds of 10."""


logger = logging.getLogger(__name__)


class StoppableClock(Clock, Protocol):
    """A clock whose `sleep` ends early, and from then on at once, when `stopped` becomes true."""

    @property
    def stopped(self) -> bool: ...


class SignalClock(SystemClock):
    """The machine's clock, stopped by the first SIGTERM or SIGINT; the second one kills."""

    def __init__(self) -> None:
        self.stopped = False
        # Its `put` may interrupt its `get`, in the same thread; the `set` of an Event may not.
        self._signals = SimpleQueue[int]()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def _stop(self, number: int, _: object) -> None:
        self.stopped = True
        self._signals.put(number)
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_DFL)

    def sleep(self, seconds: float) -> None:
        if self.stopped:
            return
        with suppress(Empty):
            self._signals.get(timeout=seconds)


class Agent:
    """Takes drains from `source` every `interval_ns` and gives them to `exporter`.

    With an interval of 0 it does not wait, which serves a recording. What is `left` of a collector
    before goes first; once the source is open it calls `begun`, after each drain `look`, and
    `ending` before the source is closed. Beside that it counts: samples taken and lost by cause,
    drains, and the time that they took.

    Collectors that were started together do not go on together: each shifts its drains by
    `shift_ns` of the interval, so that a fleet's batches reach the server spread over it.
    """

    def __init__(
        self,
        source: SampleSource,
        exporter: Exporter,
        clock: StoppableClock,
        interval_ns: int,
        *,
        shift_ns: int = 0,
        left: Iterable[Drain] = (),
        begun: Callable[[], None] = lambda: None,
        look: Callable[[], None] = lambda: None,
        ending: Callable[[], None] = lambda: None,
    ) -> None:
        self.taken = 0
        self.losses: Counter[str] = Counter()
        self.drains = 0
        self.drain_ns = 0
        self._source = source
        self._exporter = exporter
        self._clock = clock
        self._interval_ns = interval_ns
        self._shift_ns = shift_ns
        self._left = left
        self._begun = begun
        self._look = look
        self._ending = ending

    def run(self) -> None:
        """Returns when the source has finished or the clock was stopped, after a last drain."""
        for drain in self._left:
            self._keep(drain)
        with self._source:
            self._begun()
            try:
                self._loop()
            finally:
                self._ending()

    def _loop(self) -> None:
        start_ns = self._clock.monotonic_ns()
        due_ns = _next_due(start_ns, start_ns, self._interval_ns, self._shift_ns)
        stopped = False
        while not stopped and not self._source.finished:
            now_ns = self._clock.monotonic_ns()
            if due_ns > now_ns:
                self._clock.sleep((due_ns - now_ns) / SECOND)
            # Asked before the drain: what is sampled during one is for the next.
            stopped = self._clock.stopped
            self._drain()
            self._look()
            now_ns = self._clock.monotonic_ns()
            due_ns = _next_due(start_ns, now_ns, self._interval_ns, self._shift_ns)

    def _drain(self) -> None:
        start_ns = self._clock.monotonic_ns()
        before, series = self.taken, 0
        for drain in self._source.drain():
            self._keep(drain)
            series += len(drain.profiles)
        took_ns = self._clock.monotonic_ns() - start_ns
        self.drains += 1
        self.drain_ns += took_ns
        taken = self.taken - before
        logger.debug("drain: %d samples, %d series, %.1f ms", taken, series, took_ns / 1e6)

    def _keep(self, drain: Drain) -> None:
        self._exporter.export(drain)
        self.taken += drain.taken
        self.losses.update(drain.losses)


def _next_due(start_ns: int, now_ns: int, interval_ns: int, shift_ns: int) -> int:
    """The next whole number of intervals after the start and the shift: a late drain makes none
    after it late, and those that a suspended machine missed are not made up for."""
    if interval_ns == 0:
        return now_ns
    passed_ns = now_ns - start_ns
    shifted_ns = passed_ns - shift_ns
    whole_ns = start_ns + shift_ns + (shifted_ns // interval_ns + 1) * interval_ns
    if passed_ns >= interval_ns:
        return whole_ns
    part_ns = FIRST_DRAIN_NS
    while part_ns <= passed_ns:
        part_ns *= 2
    return start_ns + min(part_ns, interval_ns)
