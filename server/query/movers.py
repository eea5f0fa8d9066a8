"""Which functions cost another share of their selection than before, the largest difference first.

The sums of both sides are exact. For those that are answered, what the units of each side differ by
tells the noise: the days of whole services (of less than three days, the hours), else the hosts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from profiler.analysis import top
from profiler.analysis.estimate import MIN_UNITS, Ratio, compare
from profiler.analysis.forest import Forest
from profiler.analysis.grouping import FunctionKey
from profiler.analysis.top import Costs
from profiler.model import Kind, ProfileType
from server.query import trend
from server.query.history import Chosen
from server.query.selection import Selection
from server.query.trend import Question, Trend
from server.store.function_tree import FunctionTrees
from server.store.hours import DAY_HOURS
from server.store.sums import Sums, add_up

CONFIDENCE = 0.95

_NO_CODE = (Kind.THREAD, Kind.MARKER)

Side = tuple[int, int, int, int]
"""Self and total samples, self and total value."""

ONLY: Mapping[str, Callable[[NDArray[np.int64], NDArray[np.float64]], NDArray[np.bool_]]] = {
    "all": lambda _, difference: difference != 0,
    "grown": lambda _, difference: difference > 0,
    "shrunk": lambda _, difference: difference < 0,
    "new": lambda samples, _: (samples[0] == 0) & (samples[1] > 0),
    "gone": lambda samples, _: (samples[0] > 0) & (samples[1] == 0),
}
"""Of total samples before and now, and the difference of shares."""


@dataclass(frozen=True, slots=True)
class Mover:
    """`low` and `high` are of the difference of shares, -1 and 1 where too little is known."""

    key: FunctionKey
    before: Side
    now: Side
    share_before: float
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Movers:
    movers: list[Mover]
    hidden: int
    before: tuple[int, int]
    """Value and samples of everything."""
    now: tuple[int, int]
    units: tuple[int, int]


def read(
    transaction: sa.Connection,
    trees: FunctionTrees,
    sides: tuple[Selection, Selection],
    cost: str,
    only: str,
    limit: int,
) -> Movers:
    """Before and now; `cost` is self or total. Raises UsageError where sums leave 64 bits."""
    forests = _forests(transaction, trees, sides)
    costs = [top.costs(forest) for forest in forests]
    keys, whole = forests[0].keys, [max(forest.total[0], 1) for forest in forests]
    size = min(len(one.totals) for one in costs)
    values = np.array([_values(one, cost)[:size] for one in costs])
    shares = values / np.array(whole)[:, None]
    difference = shares[1] - shares[0]
    samples = np.array([one.samples[:size] for one in costs])
    held = np.flatnonzero(ONLY[only](samples, difference) & samples.any(axis=0))
    code = np.array([keys[number][-1] not in _NO_CODE for number in held.tolist()], bool)
    held = held[code] if len(held) else held
    ranks = forests[0].ranks[held]
    order = held[np.lexsort((ranks, -np.abs(difference[held])))]
    shown = order[:limit].tolist()
    named = [keys[number] for number in shown]
    low, high, units = _noise(transaction, trees, sides, named, cost)
    movers = [
        Mover(
            keys[number],
            _side(costs[0], number),
            _side(costs[1], number),
            float(shares[0, number]),
            float(shares[1, number]),
            low[place],
            high[place],
        )
        for place, number in enumerate(shown)
    ]
    before, now = (forest.total for forest in forests)
    return Movers(movers, len(order) - len(shown), before, now, units)


def _forests(
    transaction: sa.Connection, trees: FunctionTrees, sides: Sequence[Selection]
) -> list[Forest]:
    """With one numbering of functions."""
    sums = [add_up(transaction, side.groups, side.kept) for side in sides]
    logs = sorted({log for one in sums for log in one.columns})
    found = trees.of(transaction, logs)
    held = dict(zip(logs, found.trees, strict=True))

    def forest(one: Sums, type: ProfileType) -> Forest:
        made = tuple(
            held[log].sums(*columns.of(log, len(held[log].node_of)), one.period)
            for log, columns in one.columns.items()
        )
        return Forest(made, found.keys, found.ranks, found.frames, type)

    return [forest(one, side.type) for one, side in zip(sums, sides, strict=True)]


def _values(costs: Costs, cost: str) -> NDArray[np.int64]:
    return costs.self_values if cost == "self" else costs.totals


def _side(costs: Costs, number: int) -> Side:
    columns = (costs.self_samples, costs.samples, costs.self_values, costs.totals)
    self_samples, samples, self_value, value = (int(column[number]) for column in columns)
    return self_samples, samples, self_value, value


def _noise(
    transaction: sa.Connection,
    trees: FunctionTrees,
    sides: Sequence[Selection],
    keys: Sequence[FunctionKey],
    cost: str,
) -> tuple[list[float], list[float], tuple[int, int]]:
    """The ends of the interval of each function, and how many units the sides have."""
    if not keys:
        return [], [], (0, 0)
    asked = Question(Chosen(frozenset(keys)), DAY_HOURS)
    place = 2 if cost == "self" else 3
    before, now = (
        _ratio(trend.read(transaction, trees, side, asked), keys, place) for side in sides
    )
    units = before.units, now.units
    if min(units) < MIN_UNITS:
        return [-1.0] * len(keys), [1.0] * len(keys), units
    difference = compare(before, now)
    half = difference.half_width(CONFIDENCE)
    estimate = difference.estimate
    return (estimate - half).tolist(), (estimate + half).tolist(), units


def _ratio(found: Trend, keys: Sequence[FunctionKey], place: int) -> Ratio:
    (costed,) = found.values.values() or (None,)
    if costed is None:
        return Ratio.of(np.zeros((0, len(keys))), np.zeros(0))
    nothing = np.zeros_like(costed.everything)
    tables = [costed.functions.get(key, nothing)[place] for key in keys]
    everything = costed.everything[3]
    if found.cluster == trend.HOSTS:
        columns = [table.sum(axis=1) for table in tables]
        n = everything.sum(axis=1)
    elif np.count_nonzero(everything.sum(axis=0)) >= MIN_UNITS:
        columns = [table.sum(axis=0) for table in tables]
        n = everything.sum(axis=0)
    else:
        columns, n = [table.ravel() for table in tables], everything.ravel()
    held = n > 0
    x = np.stack(columns, axis=1)[held].astype(np.float64)
    return Ratio.of(x, n[held].astype(np.float64))
