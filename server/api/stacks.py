"""Stacks that hold one function and not another."""

from collections.abc import Callable

from flask import Blueprint, Response

from profiler.analysis import flamegraph, top
from profiler.analysis.containing import containing
from profiler.analysis.flamegraph import MAX_NODES
from profiler.analysis.packed import columns
from profiler.errors import UsageError
from server.api import urls
from server.api.arguments import SELECTION, Arguments
from server.api.backend import backend
from server.api.context import context
from server.api.flamegraph import MOST_NODES
from server.api.responses import answer
from server.query import matching, selection
from server.query.forest import forest

_USUAL_FUNCTIONS, _MOST_FUNCTIONS = 20, 1000

blueprint = Blueprint("stacks", __name__)


@blueprint.get(urls.STACKS)
def show() -> Response:
    given = Arguments(*SELECTION, "with", "without", "limit", "max_nodes")
    selector, within = given.selector(), given.within()
    having = _named(given.required("with"))
    lacking = _named(given.required("without")) if given.has("without") else None
    limit = given.integer("limit", _USUAL_FUNCTIONS, 1, _MOST_FUNCTIONS)
    max_nodes = given.integer("max_nodes", MAX_NODES, 1, MOST_NODES)
    with backend().database.read() as transaction:
        chosen = selection.select(transaction, backend().tenant, selector, within)
        trees = forest(transaction, backend().functions, chosen)
        coverage = selection.coverage(chosen)
        accounts = selection.account(transaction, chosen)
    found = containing(trees, having, lacking)
    functions = top.functions(found, limit)
    (value, samples), (all_value, all_samples) = found.total, trees.total
    return answer(
        {
            "unit": trees.type.unit,
            "total": {"value": all_value, "samples": all_samples},
            "found": {"value": value, "samples": samples},
            "functions": [cost.row for cost in functions.functions],
            "functions_total": len(functions.functions) + functions.hidden,
            "stacks": columns(flamegraph.draw(found, max_nodes)),
        }
        | context(accounts, coverage)
    )


def _named(text: str) -> Callable[[str], bool]:
    """A function's name, or an expression that matches it as a whole."""
    try:
        expression = matching.pattern(text)
    except UsageError:
        return lambda name: name == text  # `operator[](` is a name
    return lambda name: name == text or expression.fullmatch(name) is not None
