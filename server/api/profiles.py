"""The merged profile as a file."""

from typing import Literal, cast

from flask import Blueprint, Response

from profiler.formats import FORMATS, folded
from server.api import urls
from server.api.arguments import SELECTION, Arguments, ParameterError
from server.api.backend import backend
from server.query import selection
from server.query.profile import merged_profile

blueprint = Blueprint("profiles", __name__)


@blueprint.get(urls.PROFILES)
def download() -> Response:
    given = Arguments(*SELECTION, "format", "value")
    selector, within = given.selector(), given.within()
    format = FORMATS[given.choice("format", tuple(FORMATS))]
    column = cast(Literal["samples", "value"], given.choice("value", ("samples", "value")))
    if column == "value" and format.name != "folded":
        raise ParameterError("value", "only folded has the choice")
    with backend().database.read() as transaction:
        chosen = selection.select(transaction, backend().tenant, selector, within)
        profile = merged_profile(transaction, backend().symbols, chosen)
    data = folded.dumps(profile, column) if column == "value" else format.dumps(profile)
    response = Response(data, content_type=format.content_type)
    response.headers.set(
        "Content-Disposition", "attachment", filename=profile.type.name + format.suffix
    )
    return response
