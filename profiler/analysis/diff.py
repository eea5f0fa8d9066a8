"""How the cost of each function differs between two sides, and whether that is more than noise.

>>> from profiler.analysis import union
>>> from profiler.formats import folded
>>> before = [folded.loads(b"main;f %d\\nmain;g 100\\n" % n) for n in (98, 102, 100)]
>>> after = [folded.loads(b"main;f %d\\nmain;h 300\\n" % n) for n in (99, 101, 100)]
>>> [(row.key[0], str(row.selves.change)) for row in functions(union.of(before, after)).rows]
[('h', 'new'), ('g', 'vanished'), ('f', 'shrunk'), ('main', 'noise')]
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from profiler.analysis import moved
from profiler.analysis.correction import benjamini_hochberg
from profiler.analysis.counts import Counts
from profiler.analysis.estimate import MIN_UNITS, Difference, Ratio, Vector, compare
from profiler.analysis.gate import Terms, code, cost, denominator, pair, spread
from profiler.analysis.grouping import FunctionKey
from profiler.analysis.moderation import MIN_FUNCTIONS, moderate
from profiler.analysis.rules import Column
from profiler.analysis.union import Union

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
    """Functions with samples on either side, those that differ most first. All that differ are
    among them; `hidden` are as many that do not."""

    rows: tuple[FunctionDifference, ...]
    hidden: int
    terms: Terms
    units: tuple[int, int]
    paired: bool
    clustered: bool
    """Whether intervals are from what units of a side differ by, or from sampling alone."""

    def changed(self) -> tuple[FunctionDifference, ...]:
        noise = {Change.NOISE}
        return tuple(row for row in self.rows if {row.selves.change, row.totals.change} - noise)


def functions(union: Union, terms: Terms | None = None, most: int | None = None) -> Diff:
    """Without threads and markers; `terms.rules` are not looked at. What does not differ is left
    out beyond `most` functions."""
    terms = terms or Terms()
    held = sum(side.samples_of("total") for side in union.sides) > 0
    held &= code(union.keys)
    numbers = np.flatnonzero(held)
    diluted = dilution(union.sides, terms)
    selves, totals = (costs(union.sides, column, numbers, terms, diluted) for column in _COLUMNS)
    noise = (selves.change == _NOISE) & (totals.change == _NOISE)
    # The largest difference of its own first, then the largest with what it calls.
    order = np.lexsort((-np.abs(totals.difference), -np.abs(selves.difference), noise))
    shown = order[: max(most, np.count_nonzero(~noise))] if most is not None else order
    rows = tuple(
        _placed(union, number, own, total, terms)
        for number, own, total in zip(
            numbers[shown].tolist(), selves.rows(shown), totals.rows(shown), strict=True
        )
    )
    units = (union.sides[0].units, union.sides[1].units)
    *_, paired = pair(*union.sides)
    return Diff(rows, len(order) - len(rows), terms, units, paired, min(units) >= MIN_UNITS)


_COLUMNS: tuple[Column, Column] = ("self", "total")

CHANGES = tuple(Change)
"""By their numbers."""

_NEW, _VANISHED, _GROWN, _SHRUNK, _, _NOISE = range(len(CHANGES))


@dataclass(frozen=True, slots=True, eq=False)
class Costs:
    """The same of many functions as columns; `change` are numbers of `CHANGES`, `samples` have a
    row a side."""

    before: Vector
    after: Vector
    samples: NDArray[np.int64]
    change: NDArray[np.uint8]
    estimated: Difference
    confidence: float

    @property
    def difference(self) -> Vector:
        return np.asarray(self.after - self.before, np.float64)

    def rows(self, chosen: NDArray[np.intp]) -> Iterator[Cost]:
        found = self.estimated.chosen(chosen)
        half = found.half_width(self.confidence)
        columns = (self.before[chosen], self.after[chosen])
        bounds = (found.estimate - half, found.estimate + half)
        rest = (*self.samples[:, chosen], self.change[chosen])
        rows = zip(*(column.tolist() for column in (*columns, *bounds, *rest)), strict=True)
        for was, now, low, high, first, second, change in rows:
            yield Cost(was, now, low, high, (first, second), CHANGES[change])


def costs(
    sides: tuple[Counts, Counts],
    column: Column,
    functions: NDArray[np.intp] | slice,
    terms: Terms,
    dilution: float = 1.0,
) -> Costs:
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
    p = difference.differs(terms.alpha)
    if dilution != 1:
        undiluted = _steadied(before.diluted(dilution), after, enough, terms, paired=paired)
        p = np.maximum(p, undiluted.differs(terms.alpha))
        p[difference.estimate * undiluted.estimate < 0] = 1.0
    differs = np.zeros(len(enough), bool)
    differs[enough] = benjamini_hochberg(p[enough], terms.alpha)
    change = np.where(after.value > before.value, np.uint8(_GROWN), np.uint8(_SHRUNK))
    for kind, where in (
        (_VANISHED, after.value == 0),
        (_NEW, before.value == 0),
        (_NOISE, ~differs),
    ):
        change[where] = kind
    return Costs(before.value, after.value, samples, change, difference, 1 - terms.alpha)


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
    expected = spread(before, after, terms.per)
    if enough.all():
        return moderate(difference, expected)
    steady = moderate(difference.chosen(enough), expected[enough])
    variance = np.maximum(difference.variance, difference.floor)
    freedom = difference.freedom.copy()
    variance[enough], freedom[enough] = steady.variance, steady.freedom
    return difference.with_variance(variance, freedom)


def _placed(
    union: Union, number: int, selves: Cost, totals: Cost, terms: Terms
) -> FunctionDifference:
    """With its names, and as moved what only moved."""
    row = FunctionDifference(union.keys[number], selves, totals, union.names.get(number))
    if selves.change is totals.change is Change.NOISE:
        return row
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
