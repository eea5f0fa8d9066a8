"""Gives the stacks that py-spy saw to samples that the kernel counted; no sample more or less.

A sample whose native stack runs through the interpreter's loop is shown below its thread as

    [python by py-spy];<module>;main;work

Which of py-spy's stacks belongs to which sample nobody knows, so the samples of a thread name are
divided in py-spy's proportions, and their native frames are not shown: to join the two would be to
make up who called whom. How many samples may be divided so is bounded by the time for which Python
held its lock. C code that computes without the lock keeps its native stacks.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from profiler.model import Frame, Kind

MARKER = Frame("[python by py-spy]", kind=Kind.MARKER)

LOOPS = {"_PyEval_EvalFrameDefault", "PyEval_EvalFrameEx"}
"""The interpreter's loop from 3.6 on, and before."""

PythonStacks = Sequence[tuple[tuple[Frame, ...], int]]
"""Frames, root first, and how often py-spy saw them."""


@dataclass(frozen=True, slots=True)
class Sample:
    """`count` samples of one thread name; the frames root first, of which the first is the
    thread's."""

    thread: str
    frames: tuple[Frame, ...]
    count: int

    @property
    def spied(self) -> bool:
        """Whether the frames are from py-spy."""
        return self.frames[1:2] == (MARKER,)


@dataclass(frozen=True, slots=True)
class Sighting:
    """What py-spy saw of a process: stacks by the name of their thread, "" where that is not
    known; each has a count of at least 1. `held` is the share of the time for which the lock was
    held, at most."""

    stacks: Mapping[str, PythonStacks]
    held: float = 1.0

    def room(self, duration_ns: int, period_ns: int) -> int:
        """How many samples of that period the lock was held for, at most."""
        return math.ceil(self.held * duration_ns / period_ns)

    def of(self, thread: str) -> PythonStacks:
        """The stacks that may belong to threads of that name."""
        unnamed = self.stacks.get("", ())
        return [*self.stacks.get(thread, ()), *unnamed] if thread else unnamed


def runs_python(frames: Sequence[Frame]) -> bool:
    """Whether a stack runs through the interpreter's loop, and lacks the frames of Python."""
    walked = any(frame.kind is Kind.PYTHON for frame in frames)
    return not walked and _loop(frames) is not None


def place(samples: Sequence[Sample], sighting: Sighting, room: int) -> Iterator[Sample]:
    """The samples of one process, all of which run Python, up to `room` of them with the stacks
    that were seen. Their counts add up to what they were."""
    placeable = [sample.count if sighting.of(sample.thread) else 0 for sample in samples]
    totals: Counter[str] = Counter()
    for sample, taken in zip(samples, _take(samples, placeable, room), strict=True):
        totals[sample.thread] += taken
        if sample.count > taken:
            yield replace(sample, count=sample.count - taken)
    for thread, total in totals.items():
        head = Frame(thread, kind=Kind.THREAD), MARKER
        stacks = sighting.of(thread)
        shares = apportion(total, [count for _, count in stacks])
        for (frames, _), count in zip(stacks, shares, strict=True):
            if count:
                yield Sample(thread, head + frames, count)


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """`total` divided by weights into whole numbers, none of which is 1 or more away from its
    exact part: the parts with the largest remainders are rounded up."""
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda place: -(total * weights[place] % whole))
    for place in by_remainder[: total - sum(parts)]:
        parts[place] += 1
    return parts


def _take(samples: Sequence[Sample], counts: Sequence[int], room: int) -> list[int]:
    """How many of `counts` are given away: first of the samples that surely hold the lock."""
    inside = [
        0 if _leaves(sample.frames) else count
        for sample, count in zip(samples, counts, strict=True)
    ]
    outside = [count - held for count, held in zip(counts, inside, strict=True)]
    first = min(room, sum(inside))
    second = min(room - first, sum(outside))
    return [
        a + b for a, b in zip(apportion(first, inside), apportion(second, outside), strict=True)
    ]


def _leaves(frames: Sequence[Frame]) -> bool:
    """Whether the innermost run of the loop has called code of another file than its own."""
    at = _loop(frames)
    return at is not None and any(
        frame.kind is Kind.NATIVE and frame.binary != frames[at].binary for frame in frames[at:]
    )


def _loop(frames: Sequence[Frame]) -> int | None:
    """The place of the innermost run of the loop."""
    for place in range(len(frames) - 1, -1, -1):
        if frames[place].function in LOOPS and frames[place].kind is Kind.NATIVE:
            return place
    return None
