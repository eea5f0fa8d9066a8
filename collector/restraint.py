"""Holds the collector to what it may take of its node.

CPU time is counted over a minute: a start, or a program with a large file, may take one's worth
at once, and little after it. Where a minute took more than that, the collector takes a step of
STEPS, and another after each drain that still takes too much: fewer samples first, then no more
files read for their symbols, at last no more looking at what processes do between drains. It takes
a step back after a minute that took less than half of what is allowed.

Memory beyond its ceiling makes the collector forget what it can find again, and read no more files
until there is less. Where it is too much after the next drain too, it is samples: a step is taken.
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
        cost, now_ns = self.read_cost(), self._clock.monotonic_ns()
        too_much = self._look_at_cpu(now_ns, cost.cpu_ns)
        too_much = self._look_at_memory(cost.resident_bytes) or too_much
        if self._stepped:
            self._stepped = False  # the samples of this drain were still taken as before
        elif too_much and not self._give_up():
            self._take(min(self.step + 1, len(STEPS) - 1), too_much, now_ns)
        elif not self._full and self._is_easy(now_ns):
            self._take(max(self.step - 1, 0), "there is room again", now_ns)
        if before != self.in_force:
            self._source.restrain(self.in_force)

    def _look_at_cpu(self, now_ns: int, taken_ns: int) -> str:
        """What was too much, and still is; "" if nothing."""
        last_ns, last_taken_ns = self._looks[-1]
        self._looks.append((now_ns, taken_ns))
        while self._looks[1][0] <= now_ns - MINUTE_NS:
            self._looks.popleft()
        allowed, minute = self._ceilings.cpu, self._share_of_minute()
        if (
            not allowed
            or minute <= allowed
            or taken_ns - last_taken_ns <= allowed * (now_ns - last_ns)
        ):
            return ""
        return f"{minute:.1%} of a CPU in a minute, {allowed:.1%} are allowed (--max-cpu)"

    def _share_of_minute(self) -> float:
        """CPUs that were taken in the last minute; in the first one, as if it had passed."""
        (first_ns, first_taken_ns), (last_ns, taken_ns) = self._looks[0], self._looks[-1]
        return (taken_ns - first_taken_ns) / max(last_ns - first_ns, MINUTE_NS)

    def _is_easy(self, now_ns: int) -> bool:
        """Whether a step back would not be too much at once."""
        enough = not self._ceilings.cpu or 2 * self._share_of_minute() < self._ceilings.cpu
        return enough and now_ns - self._stepped_ns >= MINUTE_NS

    def _look_at_memory(self, taken: int) -> str:
        """As of CPU time: too much is what is left after the files have been forgotten."""
        ceiling, was_full = self._ceilings.memory_bytes, self._full
        if not ceiling or taken <= ceiling:
            self._full &= taken >= ROOM * ceiling
            return ""
        if not was_full and self._give_up():
            return ""
        self._full = True
        self.forgotten += 1
        self._source.forget()
        said = f"{taken >> 20} MiB resident, {ceiling >> 20} are allowed (--max-memory)"
        if not was_full:
            logger.warning("%s: no new symbols are read", said)
        return said if was_full else ""

    def _take(self, step: int, said: str, now_ns: int) -> None:
        self._stepped = step != self.step
        if self._stepped:
            self.step, self._stepped_ns = step, now_ns
            level = logging.INFO if step == 0 else logging.WARNING
            logger.log(level, "%s: %s", said, _said(STEPS[step]))


def _said(step: Step) -> str:
    rate = f"1 of {step.divisor} samples is taken" if step.divisor > 1 else "all samples are taken"
    without = "" if step.symbols else ", no new symbols are read"
    return rate + without + ("" if step.events else ", ends of processes are not seen")
