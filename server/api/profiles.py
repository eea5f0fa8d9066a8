"""The merged profile as a file."""

from typing import Literal, cast

from flask import Blueprint, Response

from profiler.formats import FORMATS, PICTURES, folded
from server.api import urls
from server.api.arguments import SELECTION, SHOWN, Arguments, ParameterError
from server.api.backend import backend
from server.query import selection, shown

blueprint = Blueprint("profiles", __name__)


@blueprint.get(urls.PROFILES)
def download() -> Response:
    given = Arguments(*SELECTION, *SHOWN, "format", "value")
    selector, within, wanted = given.selector(), given.within(), given.shown()
    formats = FORMATS | PICTURES
    format = formats[given.choice("format", tuple(formats))]
    column = cast(Literal["samples", "value"], given.choice("value", ("samples", "value")))
    if column == "value" and format.name != "folded":
        raise ParameterError("value", "only folded has the choice")
    with backend().database.read() as transaction:
        chosen = selection.select(transaction, backend().tenant, selector, within)
        profile = shown.profile(transaction, backend().symbols, chosen, wanted)
    data = folded.dumps(profile, column) if column == "value" else format.dumps(profile)
    response = Response(data, content_type=format.content_type)
    response.headers.set(
        "Content-Disposition", "attachment", filename=profile.type.name + format.suffix
    )
    return response
