"""Holds the collector to what it may take of its node.

CPU time is a credit. It grows with the time that passes, at the rate that is allowed, up to a
minute's worth, and what the collector takes is taken off it: a start, or a program with a large
file, may take more for a while, an hour may not. Where it is spent, the collector takes a step of
STEPS: fewer samples first, then no more files read for their symbols, at last no more looking at
what processes do between drains. It takes a step back when the
credit is whole again and one step back would not spend it at once.

Memory beyond its ceiling makes the collector forget what it can find again, and read no more files
until there is less.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from collector.cost import Cost
from profiler.clock import Clock
from profiler.timerange import SECOND

CREDIT_NS = 60 * SECOND
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
        self._credit_ns = self._whole_ns = ceilings.cpu * CREDIT_NS
        self._stepped = False
        self._full = False
        self._time_ns = clock.monotonic_ns()
        self._cost = read_cost()

    @property
    def in_force(self) -> Step:
        step = STEPS[self.step]
        return replace(step, symbols=step.symbols and not self._full)

    def look(self) -> None:
        """Takes a step where the collector took too much since the last time."""
        before = self.in_force
        cost, now_ns = self.read_cost(), self._clock.monotonic_ns()
        if self._ceilings.cpu:
            self._look_at_cpu(cost.cpu_ns - self._cost.cpu_ns, now_ns - self._time_ns)
        if self._ceilings.memory_bytes:
            self._look_at_memory(cost)
        self._cost, self._time_ns = cost, now_ns
        if before != self.in_force:
            self._source.restrain(self.in_force)

    def _look_at_cpu(self, taken_ns: int, passed_ns: int) -> None:
        allowed_ns = passed_ns * self._ceilings.cpu
        self._credit_ns = min(self._credit_ns + allowed_ns - taken_ns, self._whole_ns)
        spent, whole = self._credit_ns < 0, self._credit_ns == self._whole_ns
        self._credit_ns = max(self._credit_ns, 0)
        step = self.step
        if self._stepped:
            pass  # the samples of this drain were still taken as before
        elif spent and not self._give_up():
            step = min(step + 1, len(STEPS) - 1)
        elif whole and 2 * taken_ns < allowed_ns:
            step = max(step - 1, 0)
        self._stepped = step != self.step
        if self._stepped:
            self._take(step, taken_ns / max(passed_ns, 1))

    def _take(self, step: int, share: float) -> None:
        self.step = step
        logger.log(
            logging.INFO if step == 0 else logging.WARNING,
            "took %.1f %% of a CPU, %.1f %% are allowed (--max-cpu): %s",
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
