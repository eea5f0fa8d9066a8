"""Holds the collector to what it may take of its node.

CPU time is counted over a minute: a start, or a program with a large file, may take a minute's worth
at once, and little after it. Where a minute took more than that, the collector takes a step of
STEPS, and another after each drain that still takes too much: fewer samples first, then no more
files read for their symbols, at last no more looking at what processes do between drains. It takes
a step back after a minute that took less than half of what is allowed.

Memory beyond its ceiling makes the collector forget what it can find again, and read no more files
until there is less.
"""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from collector.cost import Cost
from profiler.clock import Clock
from profiler.timerange import SECOND

MINUTE_NS = 60 * SECOND
ROOM = 0.9
"""Of the memory's ceiling: symbols are read again below it."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ceilings:
    """`cpu` in CPUs: 0.2 is a fifth of one; `memory_bytes` resident, children included. 0: none."""

    cpu: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Step:
    """The sampling frequency is divided by `divisor`; `symbols`: new files are read for theirs;
    `events`: what processes do is followed, so that those which have ended have names too."""

    divisor: int
    symbols: bool = True
    events: bool = True


STEPS = (
    Step(1),
    Step(2),
    Step(4),
    Step(8),
    Step(8, symbols=False),
    Step(16, symbols=False),
    Step(32, symbols=False),
    Step(32, symbols=False, events=False),
)
"""A node costs by its samples, one where new programs come by their files, and one that starts
thousands of programs a second by their starts."""


class Restrained(Protocol):
    """What samples, and can do with less."""

    def restrain(self, step: Step) -> None:
        """From the next drain on, does with less."""

    def forget(self) -> None:
        """Gives back memory, for what can be found again."""


class Restraint:
    """`look` is to be called after every drain. `step` is that of STEPS which is in force,
    `forgotten` how often memory was given back; `read_cost` tells what is taken. What is done
    beside the usual profile is given up before that does with less: `give_up` ends it, and says
    whether there was any."""

    def __init__(
        self,
        ceilings: Ceilings,
        source: Restrained,
        read_cost: Callable[[], Cost],
        clock: Clock,
        give_up: Callable[[], bool] = lambda: False,
    ) -> None:
        self.step = 0
        self.forgotten = 0
        self.read_cost = read_cost
        self._ceilings = ceilings
        self._source = source
        self._clock = clock
        self._give_up = give_up
        self._stepped = False
        self._full = False
        # When it was looked at, and what had been taken: the first a minute ago, or more.
        self._looks = deque([(clock.monotonic_ns(), read_cost().cpu_ns)])
        self._stepped_ns = self._looks[0][0]

    @property
    def in_force(self) -> Step:
        step = STEPS[self.step]
        return replace(step, symbols=step.symbols and not self._full)

    def look(self) -> None:
        """Takes a step where the collector took too much since the last time."""
        before = self.in_force
        cost = self.read_cost()
        if self._ceilings.cpu:
            self._look_at_cpu(self._clock.monotonic_ns(), cost.cpu_ns)
        if self._ceilings.memory_bytes:
            self._look_at_memory(cost)
        if before != self.in_force:
            self._source.restrain(self.in_force)

    def _look_at_cpu(self, now_ns: int, taken_ns: int) -> None:
        last_ns, last_taken_ns = self._looks[-1]
        self._looks.append((now_ns, taken_ns))
        while self._looks[1][0] <= now_ns - MINUTE_NS:
            self._looks.popleft()
        first_ns, first_taken_ns = self._looks[0]
        of_drain = (taken_ns - last_taken_ns) / max(now_ns - last_ns, 1)
        # The first minute's is what it would be of a whole one.
        of_minute = (taken_ns - first_taken_ns) / max(now_ns - first_ns, MINUTE_NS)
        step, allowed = self.step, self._ceilings.cpu
        if self._stepped:
            pass  # the samples of this drain were still taken as before
        elif of_minute > allowed:
            if of_drain > allowed and not self._give_up():
                step = min(step + 1, len(STEPS) - 1)
        elif now_ns - self._stepped_ns >= MINUTE_NS and 2 * of_minute < allowed:
            step = max(step - 1, 0)
        self._stepped = step != self.step
        if self._stepped:
            self._stepped_ns = now_ns
            self._take(step, of_minute)

    def _take(self, step: int, share: float) -> None:
        self.step = step
        logger.log(
            logging.INFO if step == 0 else logging.WARNING,
            "took %.1f %% of a CPU in a minute, %.1f %% are allowed (--max-cpu): %s",
            100 * share,
            100 * self._ceilings.cpu,
            _said(STEPS[step]),
        )

    def _look_at_memory(self, cost: Cost) -> None:
        ceiling, taken = self._ceilings.memory_bytes, cost.resident_bytes
        if taken > ceiling and not self._give_up():
            self.forgotten += 1
            self._source.forget()
            if not self._full:
                said = "%d MiB resident, %d are allowed (--max-memory): no new symbols are read"
                logger.warning(said, taken >> 20, ceiling >> 20)
            self._full = True
        elif taken < ROOM * ceiling:
            self._full = False


def _said(step: Step) -> str:
    rate = f"1 of {step.divisor} samples is taken" if step.divisor > 1 else "all samples are taken"
    without = "" if step.symbols else ", no new symbols are read"
    return rate + without + ("" if step.events else ", ends of processes are not seen")
