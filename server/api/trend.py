"""What functions cost in each day or hour, with the noise, the deploys, and the changes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flask import Blueprint, Response
from numpy.typing import NDArray

from profiler.analysis import changes, clusters
from profiler.analysis.grouping import FunctionKey
from profiler.timerange import SECOND
from server.api import deploys, urls
from server.api.arguments import SELECTION, Arguments, ParameterError
from server.api.backend import backend
from server.api.responses import answer
from server.api.timeline import MOST_BUCKETS
from server.api.wanted import FUNCTIONS, check, named, wanted
from server.query import deploys as query
from server.query import selection, trend
from server.query.trend import CLUSTERS, Costed, Question, Table, Trend
from server.store.catalog import SERVICE
from server.store.deploys import Deploy
from server.store.hours import DAY_HOURS, HOUR_NS, TimeRange

_MS = SECOND // 1000

_USUAL_LINES, _MOST_LINES = 10, 100

_STEPS = {"1d": DAY_HOURS, "1h": 1}

_COSTS = {"total": 3, "self": 2}
"""Places of values in `Costs`; those of samples stand two before."""

MOST_DEPLOYS = 1000

CAUSE_NS = 24 * HOUR_NS
"""How long before a change the deploy may be to which it is attributed."""

_LEAST_SAMPLES = 100
"""Of a bucket, for its share to count: one sample more is a percent."""

blueprint = Blueprint("trend", __name__)


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    value: str
    key: FunctionKey
    costed: Costed

    @property
    def table(self) -> Table:
        return self.costed.functions[self.key]


@blueprint.get(urls.TREND)
def show() -> Response:
    given = Arguments(*SELECTION, *FUNCTIONS, "step", "by", "cluster", "cost", "limit")
    selector, within = given.selector(), given.within()
    check(given)
    step_hours = _STEPS[given.choice("step", _STEPS)]
    if len(within.hours) // step_hours > MOST_BUCKETS:
        raise ParameterError("from", f"more than {MOST_BUCKETS} buckets")
    place = _COSTS[given.choice("cost", _COSTS)]
    limit = given.integer("limit", _USUAL_LINES, 1, _MOST_LINES)
    cluster = given.choice("cluster", CLUSTERS) if given.text("cluster") else None
    with backend().database.read() as transaction:
        chosen = selection.select(transaction, backend().tenant, selector, within)
        meant = wanted(transaction, given, chosen)
        asked = Question(meant, step_hours, given.text("by"), _MOST_LINES, cluster)
        found = trend.read(transaction, backend().functions, chosen, asked)
        came = list(query.select(transaction, backend().tenant, selector, _causes(within)))
    lines = _ranked(found, place)
    return answer(
        {
            "unit": chosen.type.unit,
            "from": within.from_ns // _MS,
            "to": within.to_ns // _MS,
            "step": step_hours * HOUR_NS // _MS,
            "times": [time_ns // _MS for time_ns in found.times_ns],
            "by": asked.by or "",
            "cluster": found.cluster,
            "lines": [_line(line, found, place, came, asked.by) for line in lines[:limit]],
            "lines_total": len(lines),
            "hidden": {"lines": len(lines[limit:]), "values": found.others},
            "deploys": [
                deploys.row(one) for one in came[:MOST_DEPLOYS] if one.began_ns >= within.from_ns
            ],
        }
    )


def _causes(within: TimeRange) -> TimeRange:
    return TimeRange(max(within.from_ns - CAUSE_NS, 0), within.to_ns)


def _ranked(found: Trend, place: int) -> list[Line]:
    lines = [Line(value, key, one) for value, one in found.values.items() for key in one.functions]
    return sorted(lines, key=lambda one: (-int(one.table[place].sum()), one.value, one.key))


def _line(
    line: Line, found: Trend, place: int, came: Sequence[Deploy], by: str | None
) -> dict[str, object]:
    table, everything = line.table, line.costed.everything
    x, n = table[place].astype(np.float64), everything[3].astype(np.float64)
    shares = clusters.shares(x, n)
    mine = [one for one in came if by != SERVICE or one.version.program.service == line.value]
    sums, all_sums = table.sum(axis=1), everything.sum(axis=1)
    return {
        "label_value": line.value,
        **named(line.key),
        "self_samples": sums[0],
        "total_samples": sums[1],
        "self": sums[2],
        "total": sums[3],
        "all_samples": all_sums[1],
        "all": all_sums[3],
        "clusters": shares.clusters,
        "share": shares.share,
        "low": shares.low,
        "high": shares.high,
        "changes": _changes(x, n, all_sums[1], found, mine),
    }


def _changes(
    x: NDArray[np.float64],
    n: NDArray[np.float64],
    samples: NDArray[np.int64],
    found: Trend,
    came: Sequence[Deploy],
) -> list[dict[str, object]]:
    """On days alone: hours go up and down with the day."""
    if found.step_hours < DAY_HOURS:
        return []
    held = np.flatnonzero((samples >= _LEAST_SAMPLES) & (n.sum(axis=0) > 0))
    history = x.sum(axis=0)[held] / n.sum(axis=0)[held]
    rows = []
    for one in changes.changes(history):
        day = int(held[one.at])
        time_ns, length_ns = _located(x, n, day, found)
        cause = (d for d in came if time_ns - CAUSE_NS <= d.began_ns < time_ns + length_ns)
        rows.append(
            {
                "time": time_ns // _MS,
                "precision": length_ns // _MS,
                "before": one.before,
                "after": one.after,
                "deploys": [deploys.row(d) for d in list(cause)[:1]],
            }
        )
    return rows


def _located(
    x: NDArray[np.float64], n: NDArray[np.float64], day: int, found: Trend
) -> tuple[int, int]:
    """The beginning of the first hour after a change, or of the first day where no hours are known,
    and how long that is."""
    if found.cluster == trend.HOSTS:
        return found.times_ns[day], DAY_HOURS * HOUR_NS
    around = slice(max(day - 2, 0), day + 2)
    first_ns = found.times_ns[around.start]
    ours, all_ours = x[:, around].T.ravel(), n[:, around].T.ravel()
    held = np.flatnonzero(all_ours)
    if len(held) < 2:
        return found.times_ns[day], DAY_HOURS * HOUR_NS
    cut = changes.best_cut(ours[held] / all_ours[held])
    return first_ns + int(held[cut]) * HOUR_NS, HOUR_NS
