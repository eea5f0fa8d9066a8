"""The flamegraph in columns, with what it is made of and what was lost on the way."""

from flask import Blueprint, Response

from profiler.analysis import flamegraph, incomplete
from profiler.analysis.flamegraph import MAX_NODES, Flamegraph
from profiler.model import ROOT
from server.api import urls
from server.api.arguments import SELECTION, Arguments
from server.api.backend import backend
from server.api.context import context
from server.api.responses import answer
from server.query import selection
from server.query.forest import forest

VERSION = 1
"""Of the answer's form. Grows when a reader of the old form would misread the new one."""

_FRAME_COLUMNS = ("function", "file", "line", "binary", "build_id", "address", "kind")

MOST_NODES = 1_000_000

blueprint = Blueprint("flamegraph", __name__)


@blueprint.get(urls.FLAMEGRAPH)
def show() -> Response:
    given = Arguments(*SELECTION, "max_nodes")
    selector, within = given.selector(), given.within()
    max_nodes = given.integer("max_nodes", MAX_NODES, 1, MOST_NODES)
    with backend().database.read() as transaction:
        chosen = selection.select(transaction, backend().tenant, selector, within)
        trees = forest(transaction, backend().functions, chosen)
        coverage = selection.coverage(chosen)
        accounts = selection.account(transaction, chosen)
    graph = flamegraph.draw(trees, max_nodes)
    causes = [{"cause": cause, "samples": n} for cause, n in incomplete.causes(trees).items()]
    return answer(columns(graph) | {"incomplete": causes} | context(accounts, coverage))


def columns(graph: Flamegraph) -> dict[str, object]:
    frames = graph.table.columns(graph.functions)
    return {
        "version": VERSION,
        "profile_type": graph.type.name,
        "unit": graph.type.unit,
        "frames": {name: getattr(frames, name) for name in _FRAME_COLUMNS},
        "strings": frames.strings,
        "nodes": {
            "depth": graph.depth,
            "frame": graph.frame,
            "self": graph.self_values,
            "total": graph.totals,
            "samples": graph.samples,
        },
        "hidden": {"nodes": graph.hidden_nodes},
        "total": {"value": graph.totals[ROOT], "samples": graph.samples[ROOT]},
    }
