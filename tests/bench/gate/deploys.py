"""How often do alerts fire where nothing changed? Rules are evaluated every minute.

`after_deploy` looks for 32 minutes after each deploy, `growth` at the last 32 minutes all the time;
a row is of so many deploys, or windows of evaluations: in how many of them any held. Both are
judged by the servers' own terms, with a bound of 0, at which alarms come most often.

    hosts       differ by a CV of 0.1, and so do each one's minutes; the same before and after
    others      other hosts run the new version, as where nodes are replaced
    wander      a host's shares go up and down, each minute like the last (r = 0.9)
    one host    units are windows of it

"every minute" is what the same terms do if each evaluation looks at all samples there are, at the
whole rate. That takes seven times as long, and is done for a fourth of the deploys.
"""

import math
import os
from argparse import Namespace
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from profiler.analysis.counts import Counts
from profiler.analysis.gate import judge
from server.alerts import looks, rules
from server.alerts.measure import ALPHA, terms
from tests.bench.gate.simulated import KEYS
from tests.bench.report import Figure, Report

WINDOW = 32
"""Minutes; quarters and eighths of it are too."""

CV = 0.1
WANDER = 0.9
SAMPLES = 70
"""Of a host in a minute: 2,240 in a window."""
UNITS = 6
"""As `server.query.units` has it, of one host."""
MOST_ALARMS = 2 * ALPHA
"""2,000 deploys have more by chance once in 30 times."""

FUNCTIONS = 100

Series = NDArray[np.float64]
"""Samples by minute, host and function."""

_LINE = "{:<30} {:>15} {:>15}   {}".format
_EVERY = {"looks": 1, "every minute": 4}
"""Of so many deploys, each rule looks at one."""


@dataclass(frozen=True, slots=True)
class Row:
    condition: str
    name: str
    hosts: int
    same: bool = True
    wander: bool = False
    demanded: bool = True

    @property
    def title(self) -> str:
        return f"{self.condition} {self.name}"

    def found(self, count: int, seed: int) -> dict[str, int]:
        """In how many of so many something held."""
        random = np.random.default_rng([seed, len(self.title), self.hosts])
        found = dict.fromkeys(_EVERY, 0)
        for number in range(count):
            sides = self._drawn(random)
            for rule, every in _EVERY.items():
                if number % every == 0:
                    times = self._times(rule)
                    found[rule] += any(self._alarms(sides, minute, rule) for minute in times)
        return found

    def _drawn(self, random: np.random.Generator) -> tuple[Series, Series]:
        """Minutes before and after; both are as long as a window, or two where it slides."""
        minutes = WINDOW * (1 if self.condition == "after_deploy" else 2)
        shares = 1 / np.arange(3.0, FUNCTIONS + 3)
        hosts = _about_one((2, self.hosts, len(shares)), random)
        if self.same:
            hosts[1] = hosts[0]
        sides = []
        for own in hosts:
            each = shares * own * self._minutes((minutes, *own.shape), random)
            each /= each.sum(axis=2, keepdims=True)
            sides.append(random.multinomial(SAMPLES, each).astype(np.float64))
        return sides[0], sides[1]

    def _minutes(self, shape: tuple[int, ...], random: np.random.Generator) -> Series:
        if not self.wander:
            return _about_one(shape, random)
        shocks = random.normal(0, CV, shape)
        shocks[1:] *= math.sqrt(1 - WANDER**2)
        return np.exp(np.asarray(signal.lfilter([1], [1, -WANDER], shocks, axis=0), np.float64))

    def _times(self, rule: str) -> list[int]:
        """The minutes at which there are samples to look at that were not there before."""
        deploy = self.condition == "after_deploy"
        minutes = range(1, WINDOW + 1) if deploy else range(WINDOW + 1, 2 * WINDOW + 1)
        if rule == "every minute":
            return list(minutes)
        look = looks.since_deploy if deploy else looks.ends
        return sorted({look(minute, WINDOW) for minute in minutes} - {0, WINDOW * (not deploy)})

    def _alarms(self, sides: tuple[Series, Series], minute: int, rule: str) -> bool:
        if self.condition == "after_deploy":
            parts = sides[0][-minute:], sides[1][:minute]
        else:
            before, after = (side[minute - WINDOW : minute] for side in sides)
            parts = before, after
        counts = tuple(_counts(part, self.same) for part in parts)
        asked = terms(_RULE)
        if rule == "every minute":
            asked = replace(asked, alpha=ALPHA)
        return bool(judge((counts[0], counts[1]), KEYS[:FUNCTIONS], asked).failures)


ROWS = [
    Row("after_deploy", "10 hosts", 10),
    Row("after_deploy", "10 others", 10, same=False),
    Row("after_deploy", "10 hosts wander", 10, wander=True),
    Row("after_deploy", "one host", 1),
    Row("after_deploy", "one host wanders", 1, wander=True, demanded=False),
    Row("growth", "10 hosts", 10),
    Row("growth", "10 hosts wander", 10, wander=True),
]

_RULE = rules.parse(
    {"alert": [{"name": "any", "query": "cpu", "after_deploy": "0pp", "window": "32m"}]}, ""
).rules[0]


def measure(options: Namespace, kept: Report) -> None:
    count = 2 * options.simulations
    print(f"of {count:,} deploys or windows without a change, in how many an alert fires")
    print(_LINE("", *_EVERY, "demands met"), flush=True)
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        asked = [processes.submit(row.found, count, options.seed) for row in ROWS]
        for row, answer in zip(ROWS, asked, strict=True):
            _print(row, answer.result(), count, kept)


def _print(row: Row, found: dict[str, int], count: int, kept: Report) -> None:
    cells, figures = [], []
    for rule, times in found.items():
        looked = -(-count // _EVERY[rule])
        rate = times / looked
        error = math.sqrt(max(rate, 1 / looked) * (1 - rate) / looked)
        cells.append(f"{100 * rate:.2f} ± {100 * error:.2f} %")
        demand = 100 * MOST_ALARMS if rule == "looks" and row.demanded else None
        figures.append(Figure(f"{row.title} {rule}", "alarms", 100 * rate, "%", at_most=demand))
    print(_LINE(row.title, *cells, kept.add(*figures)), flush=True)


def _about_one(shape: tuple[int, ...], random: np.random.Generator) -> Series:
    return np.asarray(random.gamma(CV**-2, CV**2, shape), np.float64)


def _counts(minutes: Series, same: bool) -> Counts:
    hosts = minutes.shape[1]
    if hosts == 1:
        windows = np.array_split(minutes[:, 0], min(UNITS, 2 * len(minutes)))
        table = np.array([window.sum(axis=0) for window in windows if len(window)])
    else:
        table = minutes.sum(axis=0)
    whole = table.sum(axis=1)
    named = tuple(f"h{host}" if same and hosts > 1 else "" for host in range(len(table)))
    return Counts(table, table, table, table, whole, whole, np.ones(len(table)), named)
