"""All services at a glance: what they cost, how that went, what came new and what grew."""

from flask import Blueprint, Response

from profiler.timerange import SECOND
from server.api import deploys, urls
from server.api.arguments import SELECTION, Arguments, ParameterError
from server.api.backend import backend
from server.api.responses import answer
from server.api.timeline import LEAST_USUAL_NS, line, readable
from server.query import overview, selection
from server.query.labels import by_label
from server.query.overview import Grown
from server.query.selection import Selection
from server.query.timeline import timeline
from server.store.catalog import SERVICE
from server.store.hours import TimeRange

_MS = SECOND // 1000

_BUCKETS = 60
"""A trend is some hundred pixels wide."""

_USUAL_SERVICES, _MOST_SERVICES = 100, 1000

_FUNCTIONS = 10

_WEEK_NS = 7 * 86400 * SECOND

blueprint = Blueprint("overview", __name__)


@blueprint.get(urls.OVERVIEW)
def show() -> Response:
    given = Arguments(*SELECTION, "since", "limit")
    selector, within = given.selector(), given.within()
    limit = given.integer("limit", _USUAL_SERVICES, 1, _MOST_SERVICES)
    earlier = _earlier(within, given.duration("since") or _WEEK_NS)
    tenant, step_ns = backend().tenant, _step(within)
    with backend().database.read() as transaction:
        now = selection.select(transaction, tenant, selector, within)
        before = selection.select(transaction, tenant, selector, earlier)
        found = by_label(now, SERVICE, limit)
        trend = timeline(transaction, now, step_ns, found.lines)
        grown = overview.grown(transaction, backend().functions, before, now, _FUNCTIONS)
        newest = overview.newest_deploys(transaction, tenant, now)
    hosts, costs_before = overview.hosts(now), _by_service(before)
    services = [
        {
            "service": service,
            "hosts": hosts[service],
            "before": costs_before.get(service, _cost(0, 0)),
            "deploys": [deploys.row(newest[service])] if service in newest else [],
            "grown": [_grown(one) for one in grown.get(service, [])],
        }
        | line(total, trend, number)
        for number, (service, total) in enumerate(found.totals.items())
    ]
    return answer(
        {
            "unit": now.type.unit,
            "from": within.from_ns // _MS,
            "to": within.to_ns // _MS,
            "before": {"from": earlier.from_ns // _MS, "to": earlier.to_ns // _MS},
            "step": step_ns // _MS,
            "times": [time_ns // _MS for time_ns in trend.times_ns],
            "services": services,
            "services_total": len(services) + found.others,
            "hidden": {
                "services": found.others,
                "total": _cost(found.rest.value, found.rest.samples),
            },
        }
    )


def _earlier(within: TimeRange, since_ns: int) -> TimeRange:
    if since_ns > within.from_ns:
        raise ParameterError("since", "reaches beyond 1970")
    return TimeRange(within.from_ns - since_ns, within.to_ns - since_ns)


def _step(within: TimeRange) -> int:
    return readable(max((within.to_ns - within.from_ns) // _BUCKETS, LEAST_USUAL_NS))


def _by_service(chosen: Selection) -> dict[str, dict[str, int]]:
    found = by_label(chosen, SERVICE, len(chosen.series))
    return {service: _cost(one.value, one.samples) for service, one in found.totals.items()}


def _cost(value: int, samples: int) -> dict[str, int]:
    return {"value": value, "samples": samples}


def _grown(one: Grown) -> dict[str, object]:
    function, file, binary, kind = one.key
    return {
        "function": function,
        "file": file,
        "binary": binary,
        "kind": kind.name.lower(),
        "self": one.now[0],
        "self_samples": one.now[1],
        "self_before": one.before[0],
        "self_samples_before": one.before[1],
    }
