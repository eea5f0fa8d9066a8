"""Two selections compared: one flamegraph of both, and what each function's cost differs by."""

from collections.abc import Iterable, Sequence

import numpy as np
import sqlalchemy as sa
from flask import Blueprint, Response

from profiler.analysis.diff import CHANGES, Cost, FunctionDifference
from profiler.analysis.differential import DifferentialGraph
from profiler.analysis.flamegraph import MAX_NODES
from profiler.analysis.gate import Terms
from profiler.analysis.grouping import FunctionKey
from profiler.model import Kind, Profile
from profiler.timerange import SECOND
from server.api import urls
from server.api.arguments import SELECTION, Arguments
from server.api.backend import backend
from server.api.context import context
from server.api.flamegraph import MOST_NODES
from server.api.responses import answer
from server.query import comparison, selection
from server.query.selection import Selection
from server.store.hours import TimeRange

BASELINE = ("baseline", "baseline_from", "baseline_to")

_MS = SECOND // 1000

_KINDS = {kind: kind.name.lower() for kind in Kind}

USUAL_FUNCTIONS, _MOST_FUNCTIONS = 1000, 2**31 - 1

VERSION = 1
"""Of the form. Grows when a reader of the old form would misread the new one."""

blueprint = Blueprint("diff", __name__)


@blueprint.get(urls.DIFF)
def show() -> Response:
    given = Arguments(*SELECTION, *BASELINE, "per", "max_nodes", "limit")
    within = given.within()
    wanted = [
        (given.selector("baseline" if given.has("baseline") else "query"), _earlier(given, within)),
        (given.selector(), within),
    ]
    max_nodes = given.integer("max_nodes", MAX_NODES, 1, MOST_NODES)
    limit = given.integer("limit", USUAL_FUNCTIONS, 0, _MOST_FUNCTIONS)
    terms = Terms(per="cores" if given.choice("per", ("share", "cores")) == "cores" else "share")
    with backend().database.read() as transaction:
        chosen = [
            selection.select(transaction, backend().tenant, selector, range)
            for selector, range in wanted
        ]
        read = comparison.read(transaction, backend().functions, *chosen)
        sides = [
            _side(transaction, side, units) for side, units in zip(chosen, read.sides, strict=True)
        ]
    compared = comparison.compare(read, terms, max_nodes, limit or None)
    found, graph = compared.diff, compared.graph
    rows, functions = found.rows[: limit or None], len(found.rows) + found.hidden
    return answer(
        {
            "version": VERSION,
            "profile_type": chosen[1].type.name,
            "unit": chosen[1].type.unit,
            "per": terms.per,
            "confidence": 1 - terms.alpha,
            "sides": sides,
            "paired": found.paired,
            "clustered": found.clustered,
            "notices": compared.notices,
        }
        | _columns(graph)
        | {
            "functions": [_function(row) for row in rows],
            "functions_total": functions,
            "hidden": {"nodes": graph.hidden_nodes, "functions": functions - len(rows)},
        }
    )


def _earlier(given: Arguments, within: TimeRange) -> TimeRange:
    """What is given, or as long a time right before."""
    if given.has("baseline_from") or given.has("baseline_to"):
        return given.within("baseline_from", "baseline_to")
    length = within.to_ns - within.from_ns
    return TimeRange(max(within.from_ns - length, 0), within.from_ns)


def _side(
    transaction: sa.Connection, side: Selection, profiles: Sequence[Profile]
) -> dict[str, object]:
    value = sum(unit.total_value for unit in profiles)
    samples = sum(unit.total_samples for unit in profiles)
    return {
        "query": str(side.selector),
        "from": side.within.from_ns // _MS,
        "to": side.within.to_ns // _MS,
        "units": len(profiles),
        "total": {"value": value, "samples": samples},
    } | context(selection.account(transaction, side), selection.coverage(side))


def _columns(graph: DifferentialGraph) -> dict[str, object]:
    strings: dict[str, int] = {}

    def numbers(texts: Iterable[str]) -> list[int]:
        return [strings.setdefault(text, len(strings)) for text in texts]

    function, file, binary, _ = zip(*graph.keys, strict=True) if graph.keys else ((), (), (), ())
    frames = {
        "function": numbers(function),
        "file": numbers(file),
        "binary": numbers(binary),
        "kind": [_KINDS[key[3]] for key in graph.keys],
    }
    before, after = range(2)
    return {
        "strings": list(strings),
        "frames": frames,
        "changes": [str(change) for change in CHANGES],
        "nodes": {
            "depth": graph.depth,
            "frame": graph.key,
            "change": graph.change.astype(np.int32),
            "self_before": graph.selves[before],
            "self": graph.selves[after],
            "total_before": graph.totals[before],
            "total": graph.totals[after],
            "samples_before": graph.samples[before],
            "samples": graph.samples[after],
        },
    }


def _function(row: FunctionDifference) -> dict[str, object]:
    return _key(row.key) | {
        "names": list(row.names) if row.names else [],
        "moved_in": [_key(row.moved_in)] if row.moved_in else [],
        "self": _cost(row.selves),
        "total": _cost(row.totals),
    }


def _key(key: FunctionKey) -> dict[str, object]:
    function, file, binary, kind = key
    return {"function": function, "file": file, "binary": binary, "kind": _KINDS[kind]}


def _cost(cost: Cost) -> dict[str, object]:
    return {
        "before": cost.before,
        "after": cost.after,
        "low": cost.low,
        "high": cost.high,
        "samples_before": cost.samples[0],
        "samples": cost.samples[1],
        "change": str(cost.change),
    }
