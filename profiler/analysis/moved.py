"""Cost that moved between functions below one caller, told apart from cost that grew.

A function that is split, inlined, or does what another one did before is dearer than it was, and
nothing is slower. Then what else stands below a caller of both lost what the function gained.
Shares of everything fall when anything grows, so that the rest is measured as its share of all but
the function itself: growth leaves that as it was, and a move does not. Shares of what is nearly
everything, such as `main`, cannot tell the two apart, and count as growth.

FBDetect (SOSP '24, section 5.4) leaves such cost shifts out for the same reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from profiler.analysis.estimate import MIN_UNITS, Ratio, compare
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


def within(union: Union, function: int, column: Column, *, shrunk: bool = False) -> int | None:
    """The innermost function in which the growth of `function` is a move, None if it is none;
    `shrunk`: the same of what it lost."""
    order = (1, 0) if shrunk else (0, 1)
    if min(union.sides[side].units for side in order) < MIN_UNITS:
        return None
    growth = _Growth.of(union, function, column, order)
    node = growth.start if column == "self" else int(union.shape.parents[growth.start])
    while node != ROOT:
        if growth.moved_below(node):
            return int(union.shape.functions[node])
        node = int(union.shape.parents[node])
    return None


def reason(union: Union, function: int, column: Column) -> str:
    """Why its growth is none, "" where it is."""
    inside = within(union, function, column)
    return "" if inside is None else f"moved within {union.keys[inside][0]}, which did not grow"


@dataclass(frozen=True, slots=True, eq=False)
class _Growth:
    """The nodes of a function and what each of them costs by side and unit. `order` are the sides,
    the one that is to have grown last."""

    union: Union
    nodes: NDArray[np.intp]
    costs: tuple[NDArray[np.float64], NDArray[np.float64]]
    order: tuple[int, int]

    @classmethod
    def of(cls, union: Union, function: int, column: Column, order: tuple[int, int]) -> "_Growth":
        shape = union.shape
        outermost = shape.outermost
        nodes = outermost if column == "total" else np.arange(1, len(shape))
        nodes = np.sort(nodes[shape.functions[nodes] == function])

        def costs(unit: Leaves) -> Values:
            return unit.below(nodes, shape) if column == "total" else unit.own(nodes)

        before, after = (
            np.array([costs(unit) for unit in union.leaves[side]], np.float64) for side in order
        )
        return cls(union, nodes, (before, after), order)

    @property
    def wholes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self.union.sides[self.order[0]].whole, self.union.sides[self.order[1]].whole

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
            sides.append(_Rest(own, below - own, self.wholes[which]))
        before, after = sides
        if before.share > MOST * growth:
            return False
        difference = compare(before.ratio, after.ratio)
        lost = -float(difference.estimate[0])
        expected = before.share_of_others - (before.share - growth) / max(1 - after.own_share, 1e-9)
        if expected < MIN_EFFECT * growth or lost < PART * expected:
            return False
        return bool(difference.reversed.above(0.0)[0] <= LEVEL)


@dataclass(frozen=True, slots=True, eq=False)
class _Rest:
    """Of one side, by unit: what a function costs, what else its caller does, and all."""

    own: NDArray[np.float64]
    rest: NDArray[np.float64]
    whole: NDArray[np.float64]

    @property
    def own_share(self) -> float:
        return float(self.own.sum() / self.whole.sum())

    @property
    def share(self) -> float:
        return float(self.rest.sum() / self.whole.sum())

    @property
    def share_of_others(self) -> float:
        return self.share / max(1 - self.own_share, 1e-9)

    @property
    def ratio(self) -> Ratio:
        return Ratio.of(self.rest[:, None], self.whole - self.own)


def _totals(union: Union, side: int, node: int) -> NDArray[np.float64]:
    nodes = np.array([node])
    rows: Sequence[Leaves] = union.leaves[side]
    return np.array([unit.below(nodes, union.shape)[0] for unit in rows], np.float64)
