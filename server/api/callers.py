"""Who calls a function, and what it calls."""

from flask import Blueprint, Response

from profiler.analysis import flamegraph
from profiler.analysis.callers import sandwich
from profiler.analysis.flamegraph import MAX_NODES
from profiler.analysis.packed import columns
from server.api import urls
from server.api.arguments import SELECTION, SHOWN, Arguments
from server.api.backend import backend
from server.api.context import context
from server.api.flamegraph import MOST_NODES
from server.api.responses import answer
from server.query import selection
from server.query.shown import forest

blueprint = Blueprint("callers", __name__)


@blueprint.get(urls.CALLERS)
def show() -> Response:
    given = Arguments(*SELECTION, *SHOWN, "function", "file", "binary", "max_nodes")
    selector, within = given.selector(), given.within()
    function = given.required("function")
    max_nodes = given.integer("max_nodes", MAX_NODES, 1, MOST_NODES)
    shown = given.shown()
    with backend().database.read() as transaction:
        chosen = selection.select(transaction, backend().tenant, selector, within)
        trees = forest(transaction, backend().symbols, backend().functions, chosen, shown)
        coverage = selection.coverage(chosen)
        accounts = selection.account(transaction, chosen)
    found = sandwich(trees, function, given.text("file"), given.text("binary"))
    value, samples = trees.total
    return answer(
        {
            "unit": trees.type.unit,
            "total": {"value": value, "samples": samples},
            "functions": [cost.row for cost in found.functions],
            "callers": columns(flamegraph.draw(found.callers, max_nodes)),
            "callees": columns(flamegraph.draw(found.callees, max_nodes)),
        }
        | context(accounts, coverage)
    )
