"""The flamegraph in columns, with what it is made of and what was lost on the way."""

from collections.abc import Sequence

from flask import Blueprint, Response

from profiler.analysis import flamegraph, incomplete
from profiler.analysis.flamegraph import MAX_NODES, Flamegraph
from profiler.model import ROOT, Frame, Kind
from server.api import urls
from server.api.arguments import SELECTION, Arguments
from server.api.backend import backend
from server.api.context import context
from server.api.responses import answer
from server.query import selection
from server.query.forest import forest

VERSION = 1
"""Of the answer's form. Grows when a reader of the old form would misread the new one."""

_KINDS = [kind.name.lower() for kind in Kind]

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
    return answer(_columns(graph) | {"incomplete": causes} | context(accounts, coverage))


def _columns(graph: Flamegraph) -> dict[str, object]:
    strings: dict[str, int] = {"": 0}
    return {
        "version": VERSION,
        "profile_type": graph.type.name,
        "unit": graph.type.unit,
        "frames": _frames(graph.frames, strings),
        "strings": list(strings),
        "nodes": {
            "depth": graph.depth.tolist(),
            "frame": graph.frame.tolist(),
            "self": graph.self_values.tolist(),
            "total": graph.totals.tolist(),
            "samples": graph.samples.tolist(),
        },
        "hidden": {"nodes": graph.hidden_nodes},
        "total": {"value": int(graph.totals[ROOT]), "samples": int(graph.samples[ROOT])},
    }


def _frames(frames: Sequence[Frame], strings: dict[str, int]) -> dict[str, object]:
    def numbers(texts: list[str]) -> list[int]:
        return [strings.setdefault(text, len(strings)) for text in texts]

    return {
        "function": numbers([frame.function for frame in frames]),
        "file": numbers([frame.file for frame in frames]),
        "line": [frame.line for frame in frames],
        "binary": numbers([frame.binary for frame in frames]),
        "build_id": numbers([frame.build_id for frame in frames]),
        "address": [hex(frame.address) for frame in frames],
        "kind": [_KINDS[frame.kind] for frame in frames],
    }
