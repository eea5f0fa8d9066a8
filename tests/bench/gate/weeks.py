"""How often are movers shown as more than noise though nothing changed from week to week?

Each row is of so many pairs of weeks, seven days a side, of which the 20 largest differences among
400 functions are shown: in how many of them is any called more than noise? Shares vary from day to
day by a CV of 0.05, each like the day before by a correlation r. `grown` has one function of 1.9 %
cost a quarter more, and says in how many it is found.

"interval" is the rule that the 95 % interval of a function does not hold 0, "independent days" is
the correction as for days that are not alike.
"""

import math
import os
from argparse import Namespace
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from profiler.analysis import spans
from profiler.analysis.estimate import Difference, Ratio
from server.query.movers import ALPHA, CONFIDENCE
from tests.bench.gate.simulated import FUNCTIONS, PLANTED, Program
from tests.bench.report import Figure, Report

DAYS = 7
SAMPLES = 500_000
"""Of a day."""
CV = 0.05
SHOWN = 20
MOST_ALARMS = 0.06

_LINE = "{:<22} {:>15} {:>15} {:>18}   {}".format
_RULES = ("movers", "interval", "independent days")


@dataclass(frozen=True, slots=True)
class Row:
    alike: float
    grown: float = 1.0
    demand: float = 0.0

    @property
    def name(self) -> str:
        return f"{'grown' if self.grown > 1 else 'A/A'}, r = {self.alike:g}"

    def found(self, count: int, seed: int) -> dict[str, int]:
        shares = Program.of(np.random.default_rng(seed)).shares
        random = np.random.default_rng([seed, round(10 * self.alike)])
        found = dict.fromkeys(_RULES, 0)
        for _ in range(count):
            before, now = self._weeks(shares, random)
            shown = np.argsort(-np.abs(now.value - before.value))[:SHOWN]
            sides = _only(before, shown), _only(now, shown)
            for rule in _RULES:
                moved = shown[_moved(*sides, rule)]
                found[rule] += 0 in moved if self.grown > 1 else len(moved) > 0
        return found

    def _weeks(
        self, shares: NDArray[np.float64], random: np.random.Generator
    ) -> tuple[Ratio, Ratio]:
        noise = random.normal(0, CV * math.sqrt(1 - self.alike**2), (2 * DAYS + 50, FUNCTIONS))
        days = np.exp(signal.lfilter([1], [1, -self.alike], noise, axis=0)[50:]) * shares
        days[DAYS:, 0] *= self.grown
        days /= days.sum(axis=1, keepdims=True)
        counts = random.multinomial(SAMPLES, days).astype(np.float64)
        return _ratio(counts[:DAYS]), _ratio(counts[DAYS:])


def _ratio(counts: NDArray[np.float64]) -> Ratio:
    share = counts.sum(axis=0) / counts.sum()
    return Ratio.of(counts, counts.sum(axis=1), share * (1 - share) / counts.sum())


def _only(side: Ratio, functions: NDArray[np.intp]) -> Ratio:
    return Ratio(side.x[:, functions], side.n, side.floor[functions])


def _moved(before: Ratio, now: Ratio, rule: str) -> NDArray[np.bool_]:
    found = (spans.compare if rule == "movers" else spans.of_hosts)(before, now)
    if rule == "interval":
        return _outside(found)
    return spans.moved(found, np.ones(len(found.estimate), bool), FUNCTIONS, ALPHA)


def _outside(found: Difference) -> NDArray[np.bool_]:
    return np.asarray(np.abs(found.estimate) > found.half_width(CONFIDENCE), np.bool_)


ROWS = [Row(0.0), Row(0.3), Row(0.5), Row(0.0, 1.25, 0.85), Row(0.5, 1.25)]


def measure(options: Namespace, kept: Report) -> None:
    count = options.simulations
    print(f"of {count:,} pairs of weeks, in how many anything is called more than noise")
    print(f"(grown: what costs a quarter more, of {100 * PLANTED:g} %)")
    print(_LINE("", *_RULES, "demands met"), flush=True)
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        asked = [processes.submit(row.found, count, options.seed) for row in ROWS]
        for row, answer in zip(ROWS, asked, strict=True):
            _print(row, answer.result(), count, kept)


def _print(row: Row, found: dict[str, int], count: int, kept: Report) -> None:
    cells, figures = [], []
    for rule, times in found.items():
        rate = times / count
        error = math.sqrt(rate * (1 - rate) / count)
        cells.append(f"{100 * rate:.1f} ± {100 * error:.1f} %")
        most = 100 * MOST_ALARMS if rule == "movers" and row.grown == 1 else None
        least = 100 * row.demand if rule == "movers" and row.demand else None
        name = f"weeks {row.name} {rule}"
        figures.append(Figure(name, "found", 100 * rate, "%", at_least=least, at_most=most))
    print(_LINE(row.name, *cells, kept.add(*figures)), flush=True)
