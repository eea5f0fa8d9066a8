"""Which functions cost more or less than before, are new, or are gone."""

from flask import Blueprint, Response

from profiler.timerange import SECOND
from server.api import urls
from server.api.arguments import SELECTION, Arguments, ParameterError
from server.api.backend import backend
from server.api.responses import answer
from server.api.wanted import named
from server.query import movers, selection
from server.query.movers import ONLY, Mover
from server.store.hours import TimeRange

_MS = SECOND // 1000

_USUAL_MOVERS, _MOST_MOVERS = 20, 200

_COSTS = ("self", "total")

_BEFORE = ("before", "before_from", "before_to")

blueprint = Blueprint("movers", __name__)


@blueprint.get(urls.MOVERS)
def show() -> Response:
    given = Arguments(*SELECTION, *_BEFORE, "since", "cost", "only", "limit")
    selector, within = given.selector(), given.within()
    earlier_selector = given.selector("before") if given.has("before") else selector
    if earlier_selector.profile_type != selector.profile_type:
        raise ParameterError("before", "is of another profile type")
    earlier = _earlier(given, within)
    cost, only = given.choice("cost", _COSTS), given.choice("only", ONLY)
    limit = given.integer("limit", _USUAL_MOVERS, 1, _MOST_MOVERS)
    tenant = backend().tenant
    with backend().database.read() as transaction:
        before = selection.select(transaction, tenant, earlier_selector, earlier)
        now = selection.select(transaction, tenant, selector, within)
        if before.series and now.series and before.type != now.type:
            raise ParameterError("before", f"is counted in {before.type.unit}")
        found = movers.read(transaction, backend().functions, (before, now), cost, only, limit)
    return answer(
        {
            "unit": now.type.unit,
            "from": within.from_ns // _MS,
            "to": within.to_ns // _MS,
            "before": {"from": earlier.from_ns // _MS, "to": earlier.to_ns // _MS}
            | _total(found.before),
            "total": _total(found.now),
            "units": {"before": found.units[0], "now": found.units[1]},
            "movers": [_row(one) for one in found.movers],
            "hidden": {"movers": found.hidden},
        }
    )


def _earlier(given: Arguments, within: TimeRange) -> TimeRange:
    """The range that is named, or one of equal length: `since` earlier, by default just before."""
    if given.has("before_from") or given.has("before_to"):
        for name in ("before_from", "before_to"):
            given.required(name)
        return given.within("before_from", "before_to")
    since_ns = given.duration("since") or within.to_ns - within.from_ns
    if since_ns > within.from_ns:
        raise ParameterError("since", "reaches beyond 1970")
    return TimeRange(within.from_ns - since_ns, within.to_ns - since_ns)


def _total(sums: tuple[int, int]) -> dict[str, int]:
    return {"value": sums[0], "samples": sums[1]}


def _row(one: Mover) -> dict[str, object]:
    names = ("self_samples", "total_samples", "self", "total")
    return (
        named(one.key)
        | dict(zip(names, one.now, strict=True))
        | dict(zip((f"{name}_before" for name in names), one.before, strict=True))
        | {
            "share": one.share,
            "share_before": one.share_before,
            "low": one.low,
            "high": one.high,
            "noise": one.noise,
        }
    )
