"""Cost that moved between functions below one caller, told apart from cost that grew.

A function that is split, inlined, or does what another one did before is dearer than it was, and
nothing is slower. Then what else stands below a caller of both lost what the function gained.
Shares of everything fall when anything grows, so that the rest is measured as its share of all but
the function itself: growth leaves that as it was, and a move does not. Shares of what is nearly
everything, such as `main`, cannot tell the two apart, and count as growth. Costs by CPUs or by
requests are no parts of a whole, and the rest is measured by these as it is.

FBDetect (SOSP '24, section 5.4) leaves such cost shifts out for the same reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from profiler.analysis.estimate import MIN_UNITS, Ratio, Vector, compare
from profiler.analysis.gate import Terms, denominator
from profiler.analysis.rules import Column
from profiler.analysis.tree import Column as Values
from profiler.analysis.union import Leaves, Union
from profiler.model import ROOT

LEVEL = 0.05
"""Of the test whether the rest lost anything."""

PART = 0.5
"""Of the growth, that the rest must have lost: noise takes part of it, growth loses nothing."""

MOST = 20.0
"""Times the growth, that a caller may cost: in all of a large program something always shrinks."""

MIN_EFFECT = 0.02
"""Of the growth, by which the share of the rest would change at all: less is no measure."""


def within(
    union: Union,
    function: int,
    column: Column,
    terms: Terms,
    *,
    shrunk: bool = False,
) -> int | None:
    """The innermost function in which the growth of `function` is a move, None if it is none;
    `shrunk`: the same of what it lost."""
    order = (1, 0) if shrunk else (0, 1)
    if min(union.sides[side].units for side in order) < MIN_UNITS:
        return None
    if not all(union.sides[side].whole.any() for side in order):
        return None  # nothing moves from where nothing was
    growth = _Growth.of(union, function, column, order, terms)
    node = growth.start if column == "self" else int(union.shape.parents[growth.start])
    while node != ROOT:
        if growth.moved_below(node):
            return int(union.shape.functions[node])
        node = int(union.shape.parents[node])
    return None


def reason(union: Union, function: int, column: Column, terms: Terms) -> str:
    """Why its growth is none, "" where it is."""
    inside = within(union, function, column, terms)
    return "" if inside is None else f"moved within {union.keys[inside][0]}, which did not grow"


@dataclass(frozen=True, slots=True, eq=False)
class _Growth:
    """The nodes of a function and what each of them costs by side and unit. `order` are the sides,
    the one that is to have grown last, and `wholes` what costs of theirs are divided by: all that
    was sampled where they are `shares` of it."""

    union: Union
    nodes: NDArray[np.intp]
    costs: tuple[NDArray[np.float64], NDArray[np.float64]]
    order: tuple[int, int]
    wholes: tuple[Vector, Vector]
    shares: bool

    @classmethod
    def of(
        cls,
        union: Union,
        function: int,
        column: Column,
        order: tuple[int, int],
        terms: Terms,
    ) -> "_Growth":
        shape = union.shape
        outermost = shape.outermost
        nodes = outermost if column == "total" else np.arange(1, len(shape))
        nodes = np.sort(nodes[shape.functions[nodes] == function])

        def costs(unit: Leaves) -> Values:
            return unit.below(nodes, shape) if column == "total" else unit.own(nodes)

        before, after = (
            np.array([costs(unit) for unit in union.leaves[side]], np.float64) for side in order
        )
        was, now = (denominator(union.sides[side], side, terms) for side in order)
        shares = terms.per == "share"
        return cls(union, nodes, (before, after), order, (was, now), shares)

    @property
    def by_node(self) -> NDArray[np.float64]:
        """By how much of all each node grew."""
        before, after = (
            costs.sum(axis=0) / whole.sum()
            for costs, whole in zip(self.costs, self.wholes, strict=True)
        )
        return np.asarray(after - before, np.float64)

    @property
    def start(self) -> int:
        """The node that grew most."""
        return int(self.nodes[np.argmax(self.by_node)])

    def moved_below(self, caller: int) -> bool:
        inside = (self.nodes >= caller) & (self.nodes < self.union.shape.end[caller])
        growth = float(self.by_node[inside].sum())
        if growth < 0.9 * float(self.by_node.sum()):
            return False  # it grew elsewhere too
        sides = []
        for which, side in enumerate(self.order):
            own = self.costs[which][:, inside].sum(axis=1)
            below = _totals(self.union, side, caller)
            whole = self.wholes[which]
            others = whole - own if self.shares else whole
            sides.append(_Rest(below - own, whole, others))
        before, after = sides
        if before.share > MOST * growth:
            return False
        difference = compare(before.ratio, after.ratio)
        lost = -float(difference.estimate[0])
        expected = before.share_of_others - (before.share - growth) / after.part_of_others
        if expected < MIN_EFFECT * growth or lost < PART * expected:
            return False
        return bool(difference.reversed.above(0.0)[0] <= LEVEL)


@dataclass(frozen=True, slots=True, eq=False)
class _Rest:
    """Of one side, by unit: what the caller of a function does besides, what that is divided by,
    and the same without the function where it is a part of it."""

    rest: NDArray[np.float64]
    whole: NDArray[np.float64]
    others: NDArray[np.float64]

    @property
    def part_of_others(self) -> float:
        return max(float(self.others.sum() / self.whole.sum()), 1e-9)

    @property
    def share(self) -> float:
        return float(self.rest.sum() / self.whole.sum())

    @property
    def share_of_others(self) -> float:
        return self.share / self.part_of_others

    @property
    def ratio(self) -> Ratio:
        return Ratio.of(self.rest[:, None], self.others)


def _totals(union: Union, side: int, node: int) -> NDArray[np.float64]:
    nodes = np.array([node])
    rows: Sequence[Leaves] = union.leaves[side]
    return np.array([unit.below(nodes, union.shape)[0] for unit in rows], np.float64)
