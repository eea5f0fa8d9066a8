"""How the cost of each function differs between two sides, and whether that is more than noise.

>>> from profiler.analysis import union
>>> from profiler.formats import folded
>>> before = [folded.loads(b"main;f %d\\nmain;g 100\\n" % n) for n in (98, 102, 100)]
>>> after = [folded.loads(b"main;f %d\\nmain;h 300\\n" % n) for n in (99, 101, 100)]
>>> [(row.key[0], str(row.selves.change)) for row in functions(union.of(before, after)).rows]
[('h', 'new'), ('g', 'vanished'), ('f', 'shrunk'), ('main', 'noise')]
"""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from profiler.analysis import moved
from profiler.analysis.correction import benjamini_hochberg
from profiler.analysis.estimate import MIN_UNITS, Difference, Ratio, compare
from profiler.analysis.gate import Terms, code, cost, denominator, pair, spread
from profiler.analysis.grouping import FunctionKey
from profiler.analysis.moderation import MIN_FUNCTIONS, moderate
from profiler.analysis.rules import Column
from profiler.analysis.union import Counts, Union

DESIGN_EFFECT = 3.1
"""How much more windows of one unchanged host differ than independent samples would: of 9 in 10
functions of a Kafka broker, at most so many times (variances). Where a side has too few units to
tell, this stands in."""


class Change(StrEnum):
    """What became of a function."""

    NEW = "new"
    VANISHED = "vanished"
    GROWN = "grown"
    SHRUNK = "shrunk"
    MOVED = "moved"
    NOISE = "noise"


@dataclass(frozen=True, slots=True)
class Cost:
    """A function's cost, self or total, in the unit of the denominator: a part of all, CPUs, or
    nanoseconds a request. The difference lies between `low` and `high` with the confidence asked.
    """

    before: float
    after: float
    low: float
    high: float
    samples: tuple[int, int]
    change: Change

    @property
    def difference(self) -> float:
        return self.after - self.before

    @property
    def relative(self) -> float | None:
        """-1 for what vanished, None for what is new."""
        return self.difference / self.before if self.before else None


@dataclass(frozen=True, slots=True)
class FunctionDifference:
    """`names` are those of both sides where they differ; `moved_in` is the function inside of which
    the cost only moved."""

    key: FunctionKey
    selves: Cost
    totals: Cost
    names: tuple[str, str] | None = None
    moved_in: FunctionKey | None = None

    def of(self, column: Column) -> Cost:
        return self.selves if column == "self" else self.totals


@dataclass(frozen=True, slots=True)
class Diff:
    """All functions with samples on either side, those that differ most first."""

    rows: tuple[FunctionDifference, ...]
    terms: Terms
    units: tuple[int, int]
    paired: bool
    clustered: bool
    """Whether intervals are from what units of a side differ by, or from sampling alone."""

    def changed(self) -> tuple[FunctionDifference, ...]:
        noise = {Change.NOISE}
        return tuple(row for row in self.rows if {row.selves.change, row.totals.change} - noise)


def functions(union: Union, terms: Terms | None = None) -> Diff:
    """Of all functions, without threads and markers; `terms.rules` are not looked at."""
    terms = terms or Terms()
    held = sum(side.samples_of("total") for side in union.sides) > 0
    held &= code(union.keys)
    numbers = np.flatnonzero(held)
    diluted = dilution(union.sides, terms)
    selves, totals = (costs(union.sides, column, numbers, terms, diluted) for column in _COLUMNS)
    rows = [
        _placed(union, number, FunctionDifference(union.keys[number], own, total), terms)
        for number, own, total in zip(numbers.tolist(), selves, totals, strict=True)
    ]
    rows.sort(key=_weight)
    units = (union.sides[0].units, union.sides[1].units)
    *_, paired = pair(*union.sides)
    return Diff(tuple(rows), terms, units, paired, min(units) >= MIN_UNITS)


_COLUMNS: tuple[Column, Column] = ("self", "total")


def _weight(row: FunctionDifference) -> tuple[bool, float, float]:
    """Noise last; the largest difference of its own first, then the largest with what it calls."""
    noise = row.selves.change is row.totals.change is Change.NOISE
    return noise, -abs(row.selves.difference), -abs(row.totals.difference)


def costs(
    sides: tuple[Counts, Counts],
    column: Column,
    functions: NDArray[np.intp],
    terms: Terms,
    dilution: float = 1.0,
) -> list[Cost]:
    """What some columns of the sides cost, and which of them differ; `terms.alpha` is the part of
    those that do so by chance. What changes no more than all do by `dilution` does not differ."""
    baseline, candidate, paired = pair(*sides)
    sides = (baseline, candidate)
    before, after = (
        cost(side, denominator(side, which, terms), column, terms.per, functions)
        for which, side in enumerate(sides)
    )
    samples = np.array([side.samples_of(column)[functions] for side in sides])
    enough = samples.sum(axis=0) >= terms.min_samples
    difference = _steadied(before, after, enough, terms, paired=paired)
    undiluted = _steadied(before.scaled(dilution), after, enough, terms, paired=paired)
    p = np.maximum(difference.differs(), undiluted.differs())
    p[difference.estimate * undiluted.estimate < 0] = 1.0
    differs = np.zeros(len(functions), bool)
    differs[enough] = benjamini_hochberg(p[enough], terms.alpha)
    half = difference.half_width(1 - terms.alpha)
    estimate = difference.estimate
    columns = (before.value, after.value, estimate - half, estimate + half)
    rows = zip(*(each.tolist() for each in (*columns, *samples, differs)), strict=True)
    return [
        Cost(was, now, low, high, (first, second), _change(was, now, differs))
        for was, now, low, high, first, second, differs in rows
    ]


def dilution(sides: tuple[Counts, Counts], terms: Terms) -> float:
    """By what all shares changed because those of some functions did: shares add up to 1, so that
    what one function gains all others lose in proportion. The median of what functions with enough
    samples cost themselves; 1 where costs are no shares, or there are too few to tell who changed.
    """
    before, after = (
        side.values_of("self").sum(axis=0) / (side.whole.sum() or 1.0) for side in sides
    )
    enough = sum(side.samples_of("self") for side in sides) >= terms.min_samples
    both = enough & (before > 0) & (after > 0)
    if terms.per != "share" or np.count_nonzero(both) < MIN_FUNCTIONS:
        return 1.0
    return float(np.median(after[both] / before[both]))


def _steadied(
    before: Ratio, after: Ratio, enough: NDArray[np.bool_], terms: Terms, *, paired: bool
) -> Difference:
    """The difference, with variances steadied by those of all functions with enough samples."""
    difference = compare(before, after, paired=paired)
    if min(before.units, after.units) < MIN_UNITS:
        far = np.full(len(enough), np.inf)
        return difference.with_variance(difference.floor * DESIGN_EFFECT, far)
    # Variances of few samples say little about those of others.
    steady = moderate(difference.chosen(enough), spread(before, after, terms.per)[enough])
    variance = np.maximum(difference.variance, difference.floor)
    freedom = difference.freedom.copy()
    variance[enough], freedom[enough] = steady.variance, steady.freedom
    return difference.with_variance(variance, freedom)


def _change(before: float, after: float, differs: bool) -> Change:
    if not differs:
        return Change.NOISE
    if not before:
        return Change.NEW
    if not after:
        return Change.VANISHED
    return Change.GROWN if after > before else Change.SHRUNK


def _placed(union: Union, number: int, row: FunctionDifference, terms: Terms) -> FunctionDifference:
    """With its names, and as moved what only moved."""
    row = replace(row, names=union.names.get(number))
    for column in _COLUMNS:
        found = row.of(column)
        if found.change is Change.NOISE:
            continue
        inside = moved.within(union, number, column, terms, shrunk=found.difference < 0)
        if inside is None:
            continue
        row = replace(row, moved_in=union.keys[inside])
        if found.change in (Change.GROWN, Change.SHRUNK):
            cost = replace(found, change=Change.MOVED)
            row = replace(row, selves=cost) if column == "self" else replace(row, totals=cost)
    return row
