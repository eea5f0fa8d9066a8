"""The table of functions."""

from flask import Blueprint, Response

from profiler.analysis import top
from profiler.analysis.top import FunctionCost
from server.api import urls
from server.api.arguments import SELECTION, Arguments
from server.api.backend import backend
from server.api.context import context
from server.api.responses import answer
from server.query import selection
from server.query.profile import merged_profile

_MOST_FUNCTIONS = 2**31 - 1

blueprint = Blueprint("top", __name__)


@blueprint.get(urls.TOP)
def show() -> Response:
    given = Arguments(*SELECTION, "limit", "sort")
    selector, within = given.selector(), given.within()
    limit = given.integer("limit", 0, 0, _MOST_FUNCTIONS)
    sort = given.choice("sort", ("self", "total"))
    with backend().database.read() as transaction:
        chosen = selection.select(transaction, backend().tenant, selector, within)
        profile = merged_profile(transaction, backend().symbols, chosen)
        coverage = selection.coverage(chosen)
        accounts = selection.account(transaction, chosen)
    functions = top.functions(profile)
    if sort == "total":  # they come by self; sorting keeps the order of equals
        functions.sort(key=lambda cost: -cost.total_value)
    return answer(
        {
            "unit": profile.type.unit,
            "total": {"value": profile.total_value, "samples": profile.total_samples},
            "functions": [_row(cost) for cost in functions[: limit or None]],
            "functions_total": len(functions),
        }
        | context(accounts, coverage)
    )


def _row(cost: FunctionCost) -> dict[str, object]:
    return {
        "function": cost.function,
        "file": cost.file,
        "binary": cost.binary,
        "kind": cost.kind.name.lower(),
        "self": cost.self_value,
        "total": cost.total_value,
        "self_samples": cost.self_samples,
        "total_samples": cost.total_samples,
    }
