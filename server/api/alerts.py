"""The rules of alerts, and how each stands."""

from collections.abc import Mapping

from flask import Blueprint, Response

from profiler.timerange import SECOND
from server.alerts.rules import Rule
from server.api import urls
from server.api.arguments import Arguments
from server.api.backend import backend
from server.api.responses import answer
from server.store import alerts
from server.store.alerts import Standing

_MS = SECOND // 1000

blueprint = Blueprint("alerts", __name__)


@blueprint.get(urls.ALERTS)
def show() -> Response:
    Arguments()
    asked = backend().alerts
    standings: Mapping[str, Standing] = {}
    if asked.rules:
        with backend().database.read() as transaction:
            standings = alerts.read(transaction, backend().tenant)
    rows = [_row(rule, standings.get(rule.name, Standing())) for rule in asked.rules]
    return answer({"every": asked.every_ns // _MS, "alerts": rows})


def _row(rule: Rule, standing: Standing) -> dict[str, object]:
    """Times are 0, and numbers left out, where there is none yet."""
    numbers = {"value": standing.value, "share": standing.share}
    return {
        "name": rule.name,
        "query": str(rule.selector),
        "function": rule.bound.pattern or "",
        "cost": rule.bound.column,
        "condition": str(rule.condition),
        "bound": rule.bound.text.partition(">+")[2],
        "window": rule.window_ns // _MS,
        "for": rule.for_ns // _MS,
        "labels": rule.labels,
        "annotations": rule.annotations,
        "state": str(standing.state),
        "since": standing.since_ns // _MS,
        "fired": standing.began_ns // _MS,
        "evaluated": standing.evaluated_ns // _MS,
        **{name: number for name, number in numbers.items() if number is not None},
        "samples": standing.samples,
        "detail": standing.detail,
        "error": standing.error,
    }
