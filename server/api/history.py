"""What a function cost, hour by hour."""

from flask import Blueprint, Response

from profiler.timerange import SECOND
from server.api import urls
from server.api.arguments import SELECTION, Arguments, ParameterError
from server.api.backend import backend
from server.api.responses import answer
from server.api.timeline import MOST_BUCKETS
from server.query import history, selection
from server.query.history import Wanted
from server.store.history import Costs
from server.store.hours import HOUR_NS

_MS = SECOND // 1000

_USUAL_FUNCTIONS = 20

_MOST_FUNCTIONS = 1000

_COSTS = ("self_samples", "total_samples", "self", "total")

blueprint = Blueprint("history", __name__)


@blueprint.get(urls.HISTORY)
def show() -> Response:
    given = Arguments(*SELECTION, "function", "file", "binary", "limit")
    selector, within = given.selector(), given.within()
    wanted = Wanted(given.required("function"), given.text("file"), given.text("binary"))
    limit = given.integer("limit", _USUAL_FUNCTIONS, 0, _MOST_FUNCTIONS)
    if len(within.hours) > MOST_BUCKETS:
        raise ParameterError("from", f"{len(within.hours)} hours, at most {MOST_BUCKETS}")
    with backend().database.read() as transaction:
        chosen = selection.select(transaction, backend().tenant, selector, within)
        found = history.read(transaction, backend().functions, chosen, wanted)
    shown = list(found.functions.items())
    hidden = shown[limit or len(shown) :]
    return answer(
        {
            "unit": chosen.type.unit,
            "from": within.from_ns // _MS,
            "to": within.to_ns // _MS,
            "times": [hour * HOUR_NS // _MS for hour in found.hours],
            "total": {"values": found.everything[3], "samples": found.everything[1]},
            "functions": [
                {"function": function, "file": file, "binary": binary, "kind": kind.name.lower()}
                | _columns(costs)
                for (function, file, binary, kind), costs in shown[: limit or None]
            ],
            "functions_total": len(shown),
            "hidden": {
                "functions": len(hidden),
                "self": sum(int(costs[2].sum()) for _, costs in hidden),
                "self_samples": sum(int(costs[0].sum()) for _, costs in hidden),
            },
        }
    )


def _columns(costs: Costs) -> dict[str, object]:
    return dict(zip(_COSTS, costs, strict=True))
