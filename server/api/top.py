"""The table of functions."""

from flask import Blueprint, Response

from profiler.analysis import top
from server.api import urls
from server.api.arguments import SELECTION, SHOWN, Arguments
from server.api.backend import backend
from server.api.context import context
from server.api.responses import answer
from server.query import selection
from server.query.shown import forest

_MOST_FUNCTIONS = 2**31 - 1

blueprint = Blueprint("top", __name__)


@blueprint.get(urls.TOP)
def show() -> Response:
    given = Arguments(*SELECTION, *SHOWN, "limit", "sort")
    selector, within = given.selector(), given.within()
    limit = given.integer("limit", 0, 0, _MOST_FUNCTIONS)
    sort = given.choice("sort", ("self", "total"))
    shown = given.shown()
    with backend().database.read() as transaction:
        chosen = selection.select(transaction, backend().tenant, selector, within)
        trees = forest(transaction, backend().symbols, backend().functions, chosen, shown)
        coverage = selection.coverage(chosen)
        accounts = selection.account(transaction, chosen)
    found = top.functions(trees, limit, by_total=sort == "total")
    value, samples = trees.total
    return answer(
        {
            "unit": trees.type.unit,
            "total": {"value": value, "samples": samples},
            "functions": [cost.row for cost in found.functions],
            "functions_total": len(found.functions) + found.hidden,
            "hidden": {
                "functions": found.hidden,
                "self": found.hidden_self_value,
                "self_samples": found.hidden_self_samples,
            },
        }
        | context(accounts, coverage)
    )
