"""Sums by time."""

from flask import Blueprint, Response

from profiler.timerange import SECOND
from server.api import urls
from server.api.arguments import SELECTION, Arguments, ParameterError
from server.api.backend import backend
from server.api.responses import answer
from server.query import selection
from server.query.timeline import buckets, timeline
from server.store.hours import TimeRange

MOST_BUCKETS = 11_000
"""Prometheus' own limit: no screen is wider, and a mistyped step must not cost memory."""

_USUAL_BUCKETS = 200

_LEAST_USUAL_NS = 10 * SECOND
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
    given = Arguments(*SELECTION, "step")
    selector, within = given.selector(), given.within()
    step_ns = _step(given.duration("step"), within)
    with backend().database.read() as transaction:
        chosen = selection.select(transaction, backend().tenant, selector, within)
        shown = timeline(transaction, chosen, step_ns)
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
    )


def _step(asked_ns: int | None, within: TimeRange) -> int:
    if asked_ns is None:
        usual_ns = (within.to_ns - within.from_ns) // _USUAL_BUCKETS
        return _readable(max(usual_ns, _LEAST_USUAL_NS))
    if asked_ns < SECOND or asked_ns % _MS:
        raise ParameterError("step", "expected whole milliseconds, at least a second")
    count = len(buckets(within, asked_ns))
    if count > MOST_BUCKETS:
        least_ns = _readable((within.to_ns - within.from_ns) // (MOST_BUCKETS - 1))
        raise ParameterError(
            "step",
            f"{count} buckets, at most {MOST_BUCKETS}: use {least_ns // SECOND}s or more",
        )
    return asked_ns


def _readable(step_ns: int) -> int:
    """The first readable step from `step_ns` on, or whole days."""
    day_ns = _DAY * SECOND
    return next((step for step in _STEPS if step >= step_ns), -(-step_ns // day_ns) * day_ns)
