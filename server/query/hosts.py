"""Hosts on which functions cost another share than on the others."""

from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from profiler.analysis import clusters
from server.query import trend
from server.query.history import Chosen, Wanted
from server.query.selection import HOST, Selection
from server.query.trend import Question
from server.store.function_tree import FunctionTrees
from server.store.hours import DAY_HOURS


@dataclass(frozen=True, slots=True)
class Host:
    """What the functions cost, of how much; `z` is the robust one."""

    name: str
    value: int
    samples: int
    all_value: int
    all_samples: int
    z: float


def read(
    transaction: sa.Connection,
    trees: FunctionTrees,
    selection: Selection,
    wanted: Wanted | Chosen,
    cost: str,
) -> tuple[list[Host], float]:
    """Those that are furthest from the median first, and the median of the shares. Several
    functions are added up."""
    asked = Question(wanted, DAY_HOURS, None, 1, trend.HOSTS)
    found = trend.read(transaction, trees, selection, asked)
    names = sorted({one.labels.get(HOST, "") for one in selection.series})
    (costed,) = found.values.values() or (None,)
    if costed is None:
        return [], 0.0
    of_all = costed.everything.sum(axis=2)
    mine = sum((table.sum(axis=2) for table in costed.functions.values()), np.zeros_like(of_all))
    first = 0 if cost == "self" else 1
    samples, value = mine[first], mine[first + 2]
    z, median = clusters.robust_z(
        value.astype(np.float64), of_all[3].astype(np.float64), of_all[1].astype(np.float64)
    )
    rows = zip(names, *(a.tolist() for a in (value, samples, of_all[3], of_all[1], z)), strict=True)
    return sorted((Host(*row) for row in rows), key=lambda one: (-abs(one.z), one.name)), median
