"""Is a renamed function told from a new one, and cost that moved from cost that grew?

Programs are made by chance: 60 functions in a tree, ten runs a side of 3,000 samples, in each of
which stacks cost more or less by a CV of 0.1. In the candidate of each pair

    renamed    three functions have other names, and a helper that does up to 40 % of their work
    replaced   three are gone, and three are new: one with the caller of one that is gone, its cost,
               and a callee that does 30 % of it or more
    moved      a function takes a half of what a sibling did
    grown      a function costs as much more, and nobody lost anything

Found of what was renamed or moved is recall; what was replaced or grew and is called so is wrong.
The row with `*` is what the product has.
"""

import math
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from unittest.mock import patch

import numpy as np

from profiler.analysis import moved, renamed, union
from profiler.analysis.gate import Terms
from profiler.model import Profile
from tests.bench.report import Figure, Report
from tests.builders import profile

FUNCTIONS = 60
RUNS, SAMPLES, CV = 10, 3_000, 0.1
OVERLAPS = (0.5, 0.6, 0.7, 0.8, 0.9)
PARTS = (0.1, 0.3, 0.5, 0.7, 0.9)

_LINE = "{:<28} {:>16} {:>16}   {}".format


@dataclass(frozen=True, slots=True)
class Program:
    """The caller of each function, -1 for the first; what each costs itself; their names."""

    callers: tuple[int, ...]
    costs: tuple[float, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, random: np.random.Generator) -> "Program":
        callers = [-1, *(int(random.integers(max(0, n // 3 - 2), n)) for n in range(1, FUNCTIONS))]
        costs = random.lognormal(0, 1, FUNCTIONS)
        names = tuple(f"f{number}" for number in range(FUNCTIONS))
        return cls(tuple(callers), tuple((costs / costs.sum()).tolist()), names)

    def stack(self, function: int) -> str:
        names = [self.names[function]]
        while (function := self.callers[function]) >= 0:
            names.append(self.names[function])
        return ";".join(reversed(names))

    def runs(self, random: np.random.Generator) -> list[Profile]:
        stacks = [self.stack(function) for function in range(len(self.callers))]
        units = []
        for _ in range(RUNS):
            shares = np.array(self.costs) * random.gamma(CV**-2, CV**2, len(self.costs))
            counts = random.multinomial(SAMPLES, shares / shares.sum()).tolist()
            lines = zip(stacks, counts, strict=True)
            units.append(profile(*(f"{stack} {count}" for stack, count in lines if count)))
        return units

    def leaves(self) -> list[int]:
        """Of one in a hundred of the samples or more, by chance in order."""
        return [n for n in range(1, FUNCTIONS) if n not in self.callers and self.costs[n] >= 0.01]


def _with(values: tuple[float, ...], at: int, value: float) -> tuple[float, ...]:
    return (*values[:at], value, *values[at + 1 :])


def _renamed(program: Program, random: np.random.Generator) -> Program:
    callers, costs, names = list(program.callers), list(program.costs), list(program.names)
    for function in random.permutation(program.leaves())[:3].tolist():
        names[function] = f"new{function}"
        part = float(random.uniform(0, 0.4))
        callers.append(function)
        costs.append(costs[function] * part)
        costs[function] *= 1 - part
        names.append(f"helper{function}")
    return Program(tuple(callers), tuple(costs), tuple(names))


def _replaced(program: Program, random: np.random.Generator) -> Program:
    callers, costs, names = list(program.callers), list(program.costs), list(program.names)
    for number, function in enumerate(random.permutation(program.leaves())[:3].tolist()):
        names[function] = f"other{function}"
        if number:
            callers[function] = int(random.integers(0, 10))
            costs[function] *= float(random.lognormal(0, 0.5))
        part = float(random.uniform(0.3, 1))
        callers.append(function)
        costs.append(costs[function] * part)
        costs[function] *= 1 - part
        names.append(f"callee{function}")
    return Program(tuple(callers), tuple(costs), tuple(names))


Change = Callable[[Program, np.random.Generator], Program]


def _pairs(random: np.random.Generator, count: int, change: Change) -> Iterator[union.Union]:
    for _ in range(count):
        program = Program.of(random)
        yield union.of(program.runs(random), change(program, random).runs(random))


def measure(options: Namespace, kept: Report) -> None:
    count = max(options.simulations // 10, 1)
    print(_LINE(f"of {count} programs each", "found", "wrong", "demands met"), flush=True)
    _measure_renamed(count, options.seed, kept)
    _measure_moved(count, options.seed, kept)


def _measure_renamed(count: int, seed: int, kept: Report) -> None:
    random = np.random.default_rng(seed)
    same = list(_pairs(random, count, _renamed))
    other = list(_pairs(random, count, _replaced))
    for overlap in OVERLAPS:
        with patch.object(renamed, "OVERLAP", overlap):
            found, wrong = _names(same)
            _, taken = _names(other)
        mark = "*" if overlap == renamed.OVERLAP else ""
        _print(f"renamed, {overlap:g} in common{mark}", found, wrong + taken, 3 * count, kept)


def _names(pairs: list[union.Union]) -> tuple[int, int]:
    """How many functions were matched with what they were, and with another one."""
    right = wrong = 0
    for both in pairs:
        for now, was in renamed.pairs(both).items():
            fits = both.keys[now][0] == both.keys[was][0].replace("f", "new")
            right, wrong = right + fits, wrong + (not fits)
    return right, wrong


def _measure_moved(count: int, seed: int, kept: Report) -> None:
    random = np.random.default_rng([seed, 1])
    cases = [case for _ in range(count) if (case := _moves(random))]
    for part in PARTS:
        with patch.object(moved, "PART", part):
            found = sum(
                moved.within(both, at, "self", Terms()) is not None for both, _, at in cases
            )
            wrong = sum(
                moved.within(both, at, "self", Terms()) is not None for _, both, at in cases
            )
        mark = "*" if part == moved.PART else ""
        _print(f"moved, {part:g} of it lost{mark}", found, wrong, len(cases), kept)


def _is_move(both: union.Union, function: int) -> bool:
    return moved.within(both, function, "self", Terms()) is not None


def _moves(random: np.random.Generator) -> tuple[union.Union, union.Union, int] | None:
    """A program in which cost moved between siblings, one in which it grew; and the function."""
    program = Program.of(random)
    leaves = program.leaves()
    siblings = [
        (one, other)
        for one in leaves
        for other in leaves
        if one != other and program.callers[one] == program.callers[other] > 0
    ]
    if not siblings:
        return None
    one, other = siblings[random.integers(len(siblings))]
    taken = program.costs[other] / 2
    larger = _with(program.costs, one, program.costs[one] + taken)
    before = program.runs(random)
    after = replace(program, costs=_with(larger, other, taken)).runs(random)
    grown = replace(program, costs=larger).runs(random)
    both = union.of(before, after), union.of(before, grown)
    at = [key[0] for key in both[0].keys].index(program.names[one])
    return *both, at


def _print(name: str, found: int, wrong: int, count: int, kept: Report) -> None:
    cells, figures = [], []
    for what, times in (("found", found), ("wrong", wrong)):
        rate = times / max(count, 1)
        error = math.sqrt(max(rate * (1 - rate), 0) / max(count, 1))
        cells.append(f"{100 * rate:.1f} ± {100 * error:.1f} %")
        figures.append(Figure(name, what, 100 * rate, "%"))
    print(_LINE(name, *cells, kept.add(*figures)), flush=True)
