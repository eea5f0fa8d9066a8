"""Does the gate alarm as rarely as it says, and find what it should? Beside the usual rules.

    make bench-gate ARGS="--simulations 200"

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

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from profiler.analysis.correction import benjamini_hochberg
from profiler.analysis.gate import MIN_SAMPLES, Terms, judge
from profiler.analysis.union import Counts
from profiler.model import Kind
from tests.bench.report import Figure, Report, report

FUNCTIONS = 400
ALPHA = 0.05
SIMULATIONS = 1000
KEYS = [(f"f{number}", "", "", Kind.NATIVE) for number in range(FUNCTIONS)]
SETTINGS = [
    (hosts, samples, cv)
    for hosts, samples in ((5, 1_000), (10, 2_000), (30, 3_000))
    for cv in (0.0, 0.1, 0.3)
]
MAX_ALARMS, MAX_T_ALARMS = 0.06, 0.07
PLANTED = 0.019
"""The share of the function that grows."""
ROW = "{:<30} {:>13} {:>13} {:>13} {:>13} {:>13}   {}".format


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
        counts = [rows.sum(axis=0).astype(np.int64) for rows in (selves, totals)]
        return Counts(selves, totals, *counts, whole, whole, np.ones(hosts), ("",) * hosts)


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
    counts = np.array([side.self_samples for side in sides])
    functions = np.flatnonzero(counts.sum(axis=0) >= MIN_SAMPLES)
    whole = np.array([side.samples.sum() for side in sides])
    p = counts[:, functions].sum(axis=0) / whole.sum()
    before, after = (share[functions] for share in _pooled(sides))
    z = (after - before) / np.sqrt(p * (1 - p) * (1 / whole).sum())
    return set(functions[benjamini_hochberg(special.ndtr(-z), ALPHA)].tolist())


def _pooled(sides: Sides) -> Iterator[NDArray[np.float64]]:
    return (side.self_samples / side.samples.sum() for side in sides)


def _numbers(found: NDArray[np.bool_]) -> set[int]:
    return set(np.flatnonzero(found).tolist())


RULES: dict[str, Rule] = {
    "gate": gate,
    "max-T": max_t,
    "naive": relative,
    "0.5 pp": points,
    "pooled z": pooled_z,
}


def main(arguments: Sequence[str] = ()) -> None:
    options = parsed(arguments)
    random = np.random.default_rng(options.seed)
    program = Program.of(random)
    with report("bench-gate") as kept:
        print(f"any alarm where nothing changed, of {options.simulations} simulations")
        print(ROW("", *RULES, "demands met"))
        for setting in SETTINGS:
            _alarms(program, setting, options.simulations, random, kept)
        print("the slower function found")
        _power(program, (10, 2_000, 0.1), 1.5, 0.85, options.simulations, random, kept)
        _power(program, (30, 3_000, 0.1), 1.25, 0.90, options.simulations, random, kept)


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-gate")
    parser.add_argument("--simulations", type=int, default=SIMULATIONS, help="of each setting")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(arguments)


Setting = tuple[int, int, float]


def _alarms(
    program: Program, setting: Setting, count: int, random: np.random.Generator, kept: Report
) -> None:
    name = "A/A {} hosts x {:,}, CV {}".format(*setting)
    found = dict.fromkeys(RULES, 0)
    for _ in range(count):
        sides = (program.side(*setting, random), program.side(*setting, random))
        for rule, alarms in RULES.items():
            found[rule] += bool(alarms(sides))
    _print(name, found, count, kept, {"gate": (None, MAX_ALARMS), "max-T": (None, MAX_T_ALARMS)})


def _power(
    program: Program,
    setting: Setting,
    factor: float,
    demand: float,
    count: int,
    random: np.random.Generator,
    kept: Report,
) -> None:
    name = "+{:.0f} % {} hosts x {:,}, CV {}".format(100 * (factor - 1), *setting)
    slower = program.slower(factor)
    found = dict.fromkeys(RULES, 0)
    for _ in range(count):
        sides = (program.side(*setting, random), slower.side(*setting, random))
        for rule, alarms in RULES.items():
            found[rule] += 0 in alarms(sides)
    _print(name, found, count, kept, {"gate": (demand, None)})


def _print(
    name: str,
    found: dict[str, int],
    count: int,
    kept: Report,
    demands: dict[str, tuple[float | None, float | None]],
) -> None:
    figures, cells = [], []
    for rule, times in found.items():
        rate = times / count
        error = math.sqrt(rate * (1 - rate) / count)
        least, most = demands.get(rule, (None, None))
        figures.append(
            Figure(f"{name} {rule}", "found", 100 * rate, "%", _percent(least), _percent(most))
        )
        figures.append(Figure(f"{name} {rule}", "standard error", 100 * error, "%"))
        cells.append(f"{100 * rate:.1f} ± {100 * error:.1f} %")
    print(ROW(name, *cells, kept.add(*figures)), flush=True)


def _percent(rate: float | None) -> float | None:
    return None if rate is None else 100 * rate


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
