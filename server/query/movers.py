"""Which functions cost another share of their selection than before, the largest difference first.

The sums of both sides are exact. For those that are answered, what the units of each side differ by
tells the noise: the days of whole services (of less than three days, the hours), else the hosts.
The largest of hundreds of differences are shown, and would be large by chance too: so those that
are no noise are so by the correction for all functions with samples enough.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from profiler.analysis import spans, top
from profiler.analysis.estimate import MIN_UNITS, Ratio
from profiler.analysis.forest import Forest
from profiler.analysis.gate import MIN_SAMPLES
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

ALPHA = 0.05
"""How often anything is called more than noise where nothing changed."""

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
    """`low` and `high` are of the difference of shares, for this function alone, -1 and 1 where too
    little is known; `noise`, whether chance does so among all functions."""

    key: FunctionKey
    before: Side
    now: Side
    share_before: float
    share: float
    low: float
    high: float
    noise: bool


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
    enough = _samples(costs, cost, size).sum(axis=0) >= MIN_SAMPLES
    tested = sum(keys[number][-1] not in _NO_CODE for number in np.flatnonzero(enough).tolist())
    asked = _Asked(named, cost, enough[shown], tested)
    noise = _noise(transaction, trees, sides, asked)
    movers = [
        Mover(
            keys[number],
            _side(costs[0], number),
            _side(costs[1], number),
            float(shares[0, number]),
            float(shares[1, number]),
            noise.low[place],
            noise.high[place],
            noise.noise[place],
        )
        for place, number in enumerate(shown)
    ]
    before, now = (forest.total for forest in forests)
    return Movers(movers, len(order) - len(shown), before, now, noise.units)


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


def _samples(costs: Sequence[Costs], cost: str, size: int) -> NDArray[np.int64]:
    columns = [one.self_samples if cost == "self" else one.samples for one in costs]
    return np.array([column[:size] for column in columns])


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """Functions, which of them have samples enough, and how many of all functions have."""

    keys: Sequence[FunctionKey]
    cost: str
    enough: NDArray[np.bool_]
    tested: int


@dataclass(frozen=True, slots=True)
class _Noise:
    """The interval of each function, and whether it is noise; how many units the sides have."""

    low: Sequence[float]
    high: Sequence[float]
    noise: Sequence[bool]
    units: tuple[int, int]


def _noise(
    transaction: sa.Connection, trees: FunctionTrees, sides: Sequence[Selection], asked: _Asked
) -> _Noise:
    count = len(asked.keys)
    if not count:
        return _Noise((), (), (), (0, 0))
    question = Question(Chosen(frozenset(asked.keys)), DAY_HOURS)
    found = [trend.read(transaction, trees, side, question) for side in sides]
    before, now = (_ratio(one, asked.keys, asked.cost) for one in found)
    units = before.units, now.units
    if min(units) < MIN_UNITS:
        return _Noise([-1.0] * count, [1.0] * count, [True] * count, units)
    alike = trend.HOURS in (one.cluster for one in found)
    difference = spans.compare(before, now) if alike else spans.of_hosts(before, now)
    half, middle = difference.half_width(CONFIDENCE), difference.estimate
    moved = spans.moved(difference, asked.enough, asked.tested, ALPHA)
    low, high = middle - half, middle + half
    return _Noise(low.tolist(), high.tolist(), (~moved).tolist(), units)


def _ratio(found: Trend, keys: Sequence[FunctionKey], cost: str) -> Ratio:
    """By host, day or hour, in order."""
    (costed,) = found.values.values() or (None,)
    if costed is None:
        return Ratio.of(np.zeros((0, len(keys))), np.zeros(0))
    nothing = np.zeros_like(costed.everything)
    tables = [costed.functions.get(key, nothing) for key in keys]
    of = {"self": (0, 2), "total": (1, 3)}[cost]
    samples, values = (np.stack([table[place] for table in tables]) for place in of)
    everything = costed.everything[3]
    if found.cluster == trend.HOSTS:
        x, n = values.sum(axis=2), everything.sum(axis=1)
    elif np.count_nonzero(everything.sum(axis=0)) >= MIN_UNITS:
        x, n = values.sum(axis=1), everything.sum(axis=0)
    else:
        x, n = values.swapaxes(1, 2).reshape(len(keys), -1), everything.T.ravel()
    held = n > 0
    x = x.T[held].astype(np.float64)
    share = x.sum(axis=0) / max(float(n.sum()), 1.0)
    floor = share**2 * (1 - share) / np.maximum(samples.sum(axis=(1, 2)), 1)
    return Ratio.of(x, n[held].astype(np.float64), floor)
