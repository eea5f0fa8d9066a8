"""Sums by time."""

import numpy as np
from flask import Blueprint, Response

from profiler.timerange import SECOND
from server.api import urls
from server.api.arguments import SELECTION, Arguments, ParameterError
from server.api.backend import backend
from server.api.responses import answer
from server.query import selection
from server.query.labels import ByLabel, by_label
from server.query.timeline import Timeline, buckets, timeline
from server.store.hours import TimeRange
from server.store.totals import Totals

MOST_BUCKETS = 11_000
"""Prometheus' own limit: no screen is wider, and a mistyped step must not cost memory."""

_USUAL_BUCKETS = 200

_USUAL_GROUPS = 10

_MOST_GROUPS = 100

LEAST_USUAL_NS = 10 * SECOND
"""Collectors drain every ten seconds: in shorter buckets a steady load would look like a comb."""

_DAY = 86400

_STEPS = [
    seconds * SECOND
    for seconds in (
        *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200),
        *(_DAY, 2 * _DAY, 7 * _DAY, 14 * _DAY, 28 * _DAY),
    )
]
"""Steps that people read easily."""

_MS = SECOND // 1000

blueprint = Blueprint("timeline", __name__)


@blueprint.get(urls.TIMELINE)
def show() -> Response:
    given = Arguments(*SELECTION, "step", "by", "max_groups")
    selector, within = given.selector(), given.within()
    step_ns = _step(given.duration("step"), within)
    by, most = given.text("by"), given.integer("max_groups", _USUAL_GROUPS, 1, _MOST_GROUPS)
    with backend().database.read() as transaction:
        chosen = selection.select(transaction, backend().tenant, selector, within)
        if by is None:
            shown, groups = timeline(transaction, chosen, step_ns), {}
        else:
            found = by_label(chosen, by, most)
            shown = timeline(transaction, chosen, step_ns, found.lines)
            groups = _groups(by, found, shown)
    return answer(
        {
            "unit": chosen.type.unit,
            "from": within.from_ns // _MS,
            "to": within.to_ns // _MS,
            "step": step_ns // _MS,
            "times": [time_ns // _MS for time_ns in shown.times_ns],
            "values": shown.values,
            "samples": shown.samples,
        }
        | groups
    )


def _groups(name: str, found: ByLabel, shown: Timeline) -> dict[str, object]:
    lines = [line(total, shown, number) for number, total in enumerate(found.totals.values())]
    return {
        "by": name,
        "groups": [
            {"label_value": value} | line for value, line in zip(found.totals, lines, strict=True)
        ],
        "rest": {"groups": found.others} | line(found.rest, shown, len(lines)),
    }


def line(total: Totals, shown: Timeline, number: int) -> dict[str, object]:
    nothing = np.zeros((2, len(shown.times_ns)), np.int64)
    samples, values = shown.lines[:, number] if number < shown.lines.shape[1] else nothing
    sums = {"value": total.value, "samples": total.samples}
    return {"total": sums, "values": values, "samples": samples}


def _step(asked_ns: int | None, within: TimeRange) -> int:
    if asked_ns is None:
        usual_ns = (within.to_ns - within.from_ns) // _USUAL_BUCKETS
        return readable(max(usual_ns, LEAST_USUAL_NS))
    if asked_ns < SECOND or asked_ns % _MS:
        raise ParameterError("step", "expected whole milliseconds, at least a second")
    count = len(buckets(within, asked_ns))
    if count > MOST_BUCKETS:
        least_ns = readable((within.to_ns - within.from_ns) // (MOST_BUCKETS - 1))
        raise ParameterError(
            "step",
            f"{count} buckets, at most {MOST_BUCKETS}: use {least_ns // SECOND}s or more",
        )
    return asked_ns


def readable(step_ns: int) -> int:
    """The first readable step from `step_ns` on, or whole days."""
    day_ns = _DAY * SECOND
    return next((step for step in _STEPS if step >= step_ns), -(-step_ns // day_ns) * day_ns)
