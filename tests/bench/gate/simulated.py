"""Does the gate alarm as rarely as it says, and find what it should? Beside the usual rules.

Profiles are simulated as counts of 400 functions in hosts' windows, and judged by what `profiler
check` calls, at its nominal 5 %. A host's shares vary around those of the fleet by a coefficient of
variation (CV), each function's by itself; samples are drawn from them. Functions call each other in
a tree, so that self and total are those of one program, and both are tested.

    A/A    both sides alike: in how many simulations does any function alarm?
    power  one function slower on all hosts of the candidate: in how many is it found?

"naive" is growth of more than 10 % of functions with 1 % of the samples, "0.5 pp" a share that grew
by more than that, "pooled z" a test of all samples as if they were independent, with Benjamini and
Hochberg's correction. They look at self shares alone, the gate at totals too.
"""

import math
import os
from argparse import Namespace
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from profiler.analysis.correction import benjamini_hochberg
from profiler.analysis.counts import Counts
from profiler.analysis.gate import MIN_SAMPLES, Terms, judge
from profiler.model import Kind
from tests.bench.report import Figure, Report

FUNCTIONS = 400
ALPHA = 0.05
KEYS = [(f"f{number}", "", "", Kind.NATIVE) for number in range(FUNCTIONS)]
MAX_ALARMS, MAX_T_ALARMS = 0.06, 0.07
PLANTED = 0.019
"""The share of the function that grows."""
LINE = "{:<30} {:>13} {:>13} {:>13} {:>13} {:>13}   {}".format


@dataclass(frozen=True, slots=True)
class Program:
    """Shares of functions themselves, and which functions stand above which, as a matrix."""

    shares: NDArray[np.float64]
    callers: NDArray[np.float64]

    @classmethod
    def of(cls, random: np.random.Generator) -> "Program":
        shares = 1.0 / np.arange(3, FUNCTIONS + 3)
        shares *= (1 - PLANTED) / shares[1:].sum()
        shares[0] = PLANTED
        callers = np.eye(FUNCTIONS)
        for function in range(2, FUNCTIONS):  # function 0 calls nobody and is called by function 1
            callers[function] += callers[random.integers(1, function)]
        callers[0] += callers[1]
        return cls(shares, callers)

    def slower(self, factor: float) -> "Program":
        """Function 0 takes so many times as long."""
        shares = self.shares.copy()
        shares[0] *= factor
        return Program(shares / shares.sum(), self.callers)

    def side(self, hosts: int, samples: int, cv: float, random: np.random.Generator) -> Counts:
        shares = np.tile(self.shares, (hosts, 1))
        if cv:
            shares = shares * random.gamma(cv**-2, cv**2, shares.shape)
        shares /= shares.sum(axis=1, keepdims=True)
        selves = random.multinomial(samples, shares).astype(np.float64)
        totals = selves @ self.callers
        whole = np.full(hosts, float(samples))
        return Counts(selves, totals, selves, totals, whole, whole, np.ones(hosts), ("",) * hosts)


Sides = tuple[Counts, Counts]
Rule = Callable[[Sides], set[int]]
"""The functions that a rule alarms about."""


def gate(sides: Sides) -> set[int]:
    return {found.function for found in judge(sides, KEYS, Terms(alpha=ALPHA)).failures}


def max_t(sides: Sides) -> set[int]:
    terms = Terms(alpha=ALPHA, strict="max-t")
    return {found.function for found in judge(sides, KEYS, terms).failures}


def relative(sides: Sides) -> set[int]:
    before, after = _pooled(sides)
    return _numbers((after > 1.1 * before) & (np.maximum(before, after) >= 0.01))


def points(sides: Sides) -> set[int]:
    before, after = _pooled(sides)
    return _numbers(after - before > 0.005)


def pooled_z(sides: Sides) -> set[int]:
    counts = np.array([side.samples_of("self") for side in sides])
    functions = np.flatnonzero(counts.sum(axis=0) >= MIN_SAMPLES)
    whole = np.array([side.samples.sum() for side in sides])
    p = counts[:, functions].sum(axis=0) / whole.sum()
    before, after = (share[functions] for share in _pooled(sides))
    z = (after - before) / np.sqrt(p * (1 - p) * (1 / whole).sum())
    return set(functions[benjamini_hochberg(special.ndtr(-z), ALPHA)].tolist())


def _pooled(sides: Sides) -> Iterator[NDArray[np.float64]]:
    return (side.samples_of("self") / side.samples.sum() for side in sides)


def _numbers(found: NDArray[np.bool_]) -> set[int]:
    return set(np.flatnonzero(found).tolist())


RULES: dict[str, Rule] = {
    "gate": gate,
    "max-T": max_t,
    "naive": relative,
    "0.5 pp": points,
    "pooled z": pooled_z,
}


@dataclass(frozen=True, slots=True)
class Row:
    """A setting, by what the candidate's function 0 is slower, and what is demanded of the gate."""

    hosts: int
    samples: int
    cv: float
    slower: float = 1.0
    demand: float = 0.0

    @property
    def name(self) -> str:
        what = f"+{100 * (self.slower - 1):.0f} %" if self.slower > 1 else "A/A"
        return f"{what} {self.hosts} hosts x {self.samples:,}, CV {self.cv:g}"

    def found(self, simulations: int, seed: int) -> dict[str, int]:
        """In how many simulations each rule alarms, about function 0 where that is slower."""
        program = Program.of(np.random.default_rng(seed))
        random = np.random.default_rng([seed, self.hosts, int(100 * self.cv)])
        found = dict.fromkeys(RULES, 0)
        for _ in range(simulations):
            sides = tuple(
                each.side(self.hosts, self.samples, self.cv, random)
                for each in (program, program.slower(self.slower))
            )
            for rule, alarms in RULES.items():
                numbers = alarms((sides[0], sides[1]))
                found[rule] += 0 in numbers if self.slower > 1 else bool(numbers)
        return found

    def figures(self, rule: str, rate: float, error: float) -> tuple[Figure, Figure]:
        bounds = {"gate": MAX_ALARMS, "max-T": MAX_T_ALARMS} if self.slower == 1 else {}
        name = f"{self.name} {rule}"
        return (
            Figure(
                *(name, "found", 100 * rate, "%"),
                at_least=100 * self.demand if self.demand and rule == "gate" else None,
                at_most=100 * bounds[rule] if rule in bounds else None,
            ),
            Figure(name, "standard error", 100 * error, "%"),
        )


ROWS = [
    Row(hosts, samples, cv)
    for hosts, samples in ((5, 1_000), (10, 2_000), (30, 3_000))
    for cv in (0.0, 0.1, 0.3)
] + [Row(10, 2_000, 0.1, 1.5, 0.85), Row(30, 3_000, 0.1, 1.25, 0.90)]


def measure(options: Namespace, kept: Report) -> None:
    count = options.simulations
    print(f"of {count:,} simulations, in how many a rule alarms; +N %: about what got slower")
    print(LINE("", *RULES, "demands met"), flush=True)
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        asked = [processes.submit(row.found, count, options.seed) for row in ROWS]
        for row, answer in zip(ROWS, asked, strict=True):
            _print(row, answer.result(), count, kept)


def _print(row: Row, found: dict[str, int], count: int, kept: Report) -> None:
    figures: list[Figure] = []
    cells = []
    for rule, times in found.items():
        rate = times / count
        error = math.sqrt(rate * (1 - rate) / count)
        figures += row.figures(rule, rate, error)
        cells.append(f"{100 * rate:.1f} ± {100 * error:.1f} %")
    print(LINE(row.name, *cells, kept.add(*figures)), flush=True)
