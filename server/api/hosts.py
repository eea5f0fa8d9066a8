"""Hosts on which a function costs another share than on the others."""

from flask import Blueprint, Response

from profiler.analysis.clusters import OUTLIER
from server.api import urls
from server.api.arguments import SELECTION, Arguments
from server.api.backend import backend
from server.api.responses import answer
from server.api.wanted import FUNCTIONS, check, wanted
from server.query import hosts, selection

_USUAL_HOSTS, _MOST_HOSTS = 20, 10_000

blueprint = Blueprint("hosts", __name__)


@blueprint.get(urls.HOSTS)
def show() -> Response:
    given = Arguments(*SELECTION, *FUNCTIONS, "cost", "limit")
    selector, within = given.selector(), given.within()
    check(given)
    cost = given.choice("cost", ("total", "self"))
    limit = given.integer("limit", _USUAL_HOSTS, 1, _MOST_HOSTS)
    with backend().database.read() as transaction:
        chosen = selection.select(transaction, backend().tenant, selector, within)
        meant = wanted(transaction, given, chosen)
        found, median = hosts.read(transaction, backend().functions, chosen, meant, cost)
    return answer(
        {
            "unit": chosen.type.unit,
            "median": median,
            "hosts": [
                {
                    "host_name": one.name,
                    "value": one.value,
                    "samples": one.samples,
                    "all": one.all_value,
                    "all_samples": one.all_samples,
                    "share": one.value / one.all_value if one.all_value else 0.0,
                    "z": one.z,
                    "outlier": abs(one.z) > OUTLIER,
                }
                for one in found[:limit]
            ],
            "hosts_total": len(found),
            "outliers": sum(abs(one.z) > OUTLIER for one in found),
        }
    )
