"""How often does a history have a change though its level stays, and how often is one found?

Histories of shares a day, normal unless said otherwise, each day like the one before by a
correlation r; as many as simulations where nothing changes, a fifth of that of each change. That is
one of so many standard deviations of a day, since so many days, and found to two days.

"permuted" is the test by random orders of the same days, whose squares are divided by what the mean
of days that are alike varies more, and which looks for the first change alone.
"""

import math
import os
from argparse import Namespace
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy import signal

from profiler.analysis import changes
from profiler.analysis.changes import ALARM_RATE, LEAST, Vector
from tests.bench.report import Figure, Report

PERMUTATIONS = 199
MOST_ALARMS = 0.03

_LINE = "{:<40} {:>15} {:>15}   {}".format


@dataclass(frozen=True, slots=True)
class Row:
    days: int
    alike: float
    change: float = 0.0
    since: int = 0
    until: int = 0
    """Days before the end, at which it is over; both ends must be found then."""
    tails: bool = False
    demand: float | None = None
    """In percent: at most so many alarms, or at least so many found."""

    @property
    def name(self) -> str:
        what = f"+{self.change:g} sd for {self.since - self.until} days" if self.change else "A/A"
        what += ", over" if self.until else ""
        return f"{what}, of {self.days}, r = {self.alike:g}{', heavy tails' if self.tails else ''}"

    def count(self, simulations: int) -> int:
        return max(simulations // 5, 1) if self.change else simulations

    def found(self, count: int, seed: int) -> tuple[int, int]:
        random = np.random.default_rng([seed, self.days, self.since, round(10 * self.alike)])
        histories = [self._drawn(random) for _ in range(count)]
        new = sum(self._fits([one.at for one in changes.changes(each)]) for each in histories)
        return new, sum(self._fits(_permuted(each, random)) for each in histories)

    def _fits(self, at: list[int]) -> bool:
        if not self.change:
            return bool(at)
        ends = [self.days - end for end in (self.since, self.until) if end]
        return all(any(abs(cut - end) <= 2 for cut in at) for end in ends)

    def _drawn(self, random: np.random.Generator) -> Vector:
        size = self.days + 50
        noise = random.standard_t(3, size) if self.tails else random.normal(size=size)
        history = signal.lfilter([1], [1, -self.alike], noise)[50:]
        history = np.asarray(history * math.sqrt(1 - self.alike**2), np.float64)
        if self.since:
            history[-self.since : self.days - self.until] += self.change
        return history


def _permuted(history: Vector, random: np.random.Generator) -> list[int]:
    """The first cut alone."""
    squares = changes._between(history[None], LEAST)[0]
    orders = random.permuted(np.tile(history, (PERMUTATIONS, 1)), axis=1)
    others = changes._between(orders, LEAST).max(axis=1)
    whole = float(((history - history.mean()) ** 2).sum())
    next, after = (((history[lag:] - history[:-lag]) ** 2) for lag in (1, 2))
    kept = len(history) - len(history) // 4
    r = min(max(np.sort(after)[:kept].mean() / np.sort(next)[:kept].mean() - 1, 0.0), 0.9)
    best = squares.max() / (whole - squares.max()) * (1 - r) / (1 + r)
    as_good = np.count_nonzero(others / (whole - others) >= best)
    found = (1 + as_good) / (1 + PERMUTATIONS) <= ALARM_RATE
    return [LEAST + int(squares.argmax())] if found else []


ROWS = [
    Row(90, 0.0, demand=100 * MOST_ALARMS),
    Row(90, 0.3, demand=100 * MOST_ALARMS),
    Row(90, 0.5, demand=100 * MOST_ALARMS),
    Row(90, 0.0, tails=True),
    Row(30, 0.0, demand=100 * MOST_ALARMS),
    Row(30, 0.5),
    Row(90, 0.0, 2, 5),
    Row(90, 0.0, 2, 10, demand=80),
    Row(90, 0.0, 3, 3),
    Row(90, 0.0, 3, 5, demand=85),
    Row(90, 0.0, 6, 65, 37),
    Row(90, 0.5, 3, 10),
    Row(90, 0.5, 3, 30, demand=80),
]


def measure(options: Namespace, kept: Report) -> None:
    print("% of the histories with a change (A/A), or whose change is found to two days")
    print(_LINE("", "bootstrap", "permuted", "demands met"), flush=True)
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        counts = [row.count(options.simulations) for row in ROWS]
        asked = [
            processes.submit(row.found, count, options.seed)
            for row, count in zip(ROWS, counts, strict=True)
        ]
        for row, count, answer in zip(ROWS, counts, asked, strict=True):
            _print(row, answer.result(), count, kept)


def _print(row: Row, found: tuple[int, int], count: int, kept: Report) -> None:
    rates = [times / count for times in found]
    cells = [
        f"{100 * rate:.1f} ± {100 * math.sqrt(rate * (1 - rate) / count):.1f} %" for rate in rates
    ]
    least, most = (row.demand, None) if row.change else (None, row.demand)
    name = f"changes {row.name}"
    figures = (
        Figure(name, "found", 100 * rates[0], "%", at_least=least, at_most=most),
        Figure(f"{name} permuted", "found", 100 * rates[1], "%"),
    )
    print(_LINE(row.name, *cells, kept.add(*figures)), flush=True)
