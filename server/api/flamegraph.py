"""The flamegraph in columns, with what it is made of and what was lost on the way."""

from flask import Blueprint, Response, request

from profiler.analysis import flamegraph, incomplete, packed, path
from profiler.analysis.flamegraph import MAX_NODES, Flamegraph
from profiler.analysis.path import Part
from profiler.model import ROOT
from server.api import urls
from server.api.arguments import SELECTION, SHOWN, Arguments
from server.api.backend import backend
from server.api.context import context
from server.api.responses import answer, as_json
from server.query import selection
from server.query.shown import forest

MOST_NODES = 1_000_000

_FORMS = ("application/json", packed.MEDIA_TYPE)

_NOT_FOUND = -1
"""Instead of a node, where a zoom was asked for that has no samples."""

blueprint = Blueprint("flamegraph", __name__)


@blueprint.get(urls.FLAMEGRAPH)
def show() -> Response:
    given = Arguments(*SELECTION, *SHOWN, "max_nodes", "zoom")
    selector, within, zoom = given.selector(), given.within(), given.path("zoom")
    max_nodes = given.integer("max_nodes", MAX_NODES, 1, MOST_NODES)
    shown = given.shown()
    with backend().database.read() as transaction:
        chosen = selection.select(transaction, backend().tenant, selector, within)
        trees = forest(transaction, backend().symbols, backend().functions, chosen, shown)
        coverage = selection.coverage(chosen)
        accounts = selection.account(transaction, chosen)
    found = path.part(trees, zoom) if zoom else Part(trees, ROOT)
    graph = flamegraph.draw(found.trees if found else trees, max_nodes)
    causes = [{"cause": cause, "samples": n} for cause, n in incomplete.causes(trees).items()]
    more = {"zoom": found.depth if found else _NOT_FOUND, "incomplete": causes}
    return drawn(graph, more | context(accounts, coverage))


def drawn(graph: Flamegraph, more: dict[str, object]) -> Response:
    """Packed for those who ask for that."""
    if request.accept_mimetypes.best_match(_FORMS) == packed.MEDIA_TYPE:
        response = Response(packed.pack(graph, more, as_json), content_type=packed.MEDIA_TYPE)
    else:
        response = answer(packed.columns(graph) | more)
    response.vary.add("Accept")
    return response
