"""The description of the API; `openapi.json` stands beside this file, and a test holds it true."""

from pathlib import Path

from flask import Blueprint, Response

from server.api import urls
from server.api.arguments import Arguments

_DOCUMENT = (Path(__file__).parent / "openapi.json").read_bytes()

blueprint = Blueprint("openapi", __name__)


@blueprint.get(urls.OPENAPI)
def document() -> Response:
    Arguments()
    return Response(_DOCUMENT, content_type="application/json")
