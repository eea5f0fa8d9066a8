"""What there is to select: profile types, labels and their values, series."""

from flask import Blueprint, Response

from profiler.timerange import SECOND
from server.api import urls
from server.api.arguments import SELECTION, Arguments
from server.api.backend import backend
from server.api.responses import answer
from server.query import selection
from server.query.selection import Selection
from server.store import catalog

blueprint = Blueprint("catalog", __name__)

_MS = SECOND // 1000


@blueprint.get(urls.PROFILE_TYPES)
def profile_types() -> Response:
    Arguments()
    with backend().database.read() as transaction:
        types = catalog.profile_types(transaction, backend().tenant)
    return answer({"profile_types": [{"name": type.name, "unit": type.unit} for type in types]})


@blueprint.get(urls.LABELS)
def labels() -> Response:
    return answer({"labels": _selected().label_names})


@blueprint.get(urls.LABEL_VALUES)
def label_values(name: str) -> Response:
    chosen = _selected()
    return answer(
        {
            "label": name,
            "from": chosen.within.from_ns // _MS,
            "to": chosen.within.to_ns // _MS,
            "values": chosen.label_values(name),
        }
    )


@blueprint.get(urls.SERIES)
def series() -> Response:
    given = Arguments(*SELECTION)
    with backend().database.read() as transaction:
        chosen = selection.select(transaction, backend().tenant, given.selector(), given.within())
    rows = [
        {
            "profile_type": chosen.selector.profile_type,
            "labels": dict(one.labels),
            "samples": chosen.total(one).samples,
            "value": chosen.total(one).value,
        }
        for one in chosen.series
    ]
    return answer({"series": rows})


def _selected() -> Selection:
    given = Arguments(*SELECTION)
    with backend().database.read() as transaction:
        return selection.select(transaction, backend().tenant, given.selector(), given.within())
