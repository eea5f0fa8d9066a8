"""What is known of one function: its cost, its lines, its shares by a label, its trend."""

from collections.abc import Mapping

from flask import Blueprint, Response

from profiler.timerange import SECOND
from server.api import urls
from server.api.arguments import SELECTION, Arguments, ParameterError
from server.api.backend import backend
from server.api.responses import answer
from server.query import function, selection
from server.query.history import Wanted
from server.query.labels import by_label
from server.query.timeline import buckets
from server.store.history import Costs
from server.store.hours import HOUR_NS, TimeRange
from server.store.sums import Sums, add_up

_MS = SECOND // 1000

_USUAL_GROUPS, _MOST_GROUPS = 10, 100

_MOST_TREND_NS = 24 * HOUR_NS
"""Each profile is looked at: history answers for longer ranges, from sums."""

_MOST_BUCKETS = 1000

_MOST_LINES = 1000

_COSTS = ("self_samples", "total_samples", "self", "total")

blueprint = Blueprint("function", __name__)


@blueprint.get(urls.FUNCTION)
def show() -> Response:
    given = Arguments(*SELECTION, "function", "file", "binary", "by", "max_groups", "step")
    selector, within = given.selector(), given.within()
    wanted = Wanted(given.required("function"), given.text("file"), given.text("binary"))
    by, most = given.text("by"), given.integer("max_groups", _USUAL_GROUPS, 1, _MOST_GROUPS)
    times = _times(given.duration("step"), within)
    parts: dict[str, object] = {}
    with backend().database.read() as transaction:
        chosen = selection.select(transaction, backend().tenant, selector, within)
        sums = add_up(transaction, chosen.groups, chosen.kept)
        logs = list(sums.columns)
        found = function.find(transaction, backend().symbols, backend().functions, wanted, logs)
        costs = found.costs(sums)
        if by is not None:
            shown = by_label(chosen, by, most)
            groups = function.by_label(transaction, chosen, by, list(shown.totals))
            parts |= {
                "by": by,
                "groups": [
                    {"label_value": value, "everything": _total(of)} | _cost(found.costs(of))
                    for value, of in groups
                ],
                "groups_total": len(shown.totals) + shown.others,
            }
        if times:
            parts |= _trend(function.trend(transaction, chosen, found, times), times)
    order = sorted(range(len(found.lines)), key=lambda i: (-costs[2, i], -costs[3, i], i))
    lines = [
        {"file": found.lines[i][0], "line": found.lines[i][1]} | _cost(costs[:, [i]])
        for i in order
        if costs[:, i].any()
    ]
    return answer(
        {
            "unit": chosen.type.unit,
            "everything": _total(sums),
            **_cost(costs),
            "lines": lines[:_MOST_LINES],
            "lines_total": len(lines),
        }
        | parts
    )


def _total(sums: Sums) -> dict[str, int]:
    return {"value": sums.value, "samples": sums.samples}


def _cost(costs: Costs) -> dict[str, object]:
    return dict(zip(_COSTS, costs.sum(axis=1).tolist(), strict=True))


def _trend(found: Mapping[str, Costs], times: range) -> dict[str, object]:
    everything = found["everything"]
    return {
        "trend": {
            "step": times.step // _MS,
            "times": [time_ns // _MS for time_ns in times],
            **dict(zip(_COSTS, found["function"], strict=True)),
            "everything": {"values": everything[3], "samples": everything[1]},
        }
    }


def _times(step_ns: int | None, within: TimeRange) -> range | None:
    if step_ns is None:
        return None
    if within.to_ns - within.from_ns > _MOST_TREND_NS:
        raise ParameterError("step", "of a day at most; `history` answers for longer ranges")
    if step_ns < SECOND or step_ns % _MS or len(buckets(within, step_ns)) > _MOST_BUCKETS:
        raise ParameterError("step", f"expected a second or more, at most {_MOST_BUCKETS} buckets")
    return buckets(within, step_ns)
