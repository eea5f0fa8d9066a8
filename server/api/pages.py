"""The browser application, as `make web` builds it into server/static/."""

from pathlib import Path

from flask import Blueprint, Response, send_from_directory

from server.api import urls

_STATIC = Path(__file__).resolve().parents[1] / "static"
_ASSETS = _STATIC / "assets"
_YEAR_SECONDS = 365 * 86400

blueprint = Blueprint("pages", __name__)


@blueprint.get(urls.PAGE)
def page() -> Response:
    if not (_STATIC / "index.html").is_file():
        return Response(
            "The page is not built: run `make web`, then reload. The API answers already.\n",
            503,
            content_type="text/plain",
        )
    response = send_from_directory(_STATIC, "index.html")
    response.headers["Cache-Control"] = "no-cache"
    return response


@blueprint.get(urls.ASSETS)
def asset(name: str) -> Response:
    """Their names change with what they hold, so that they may be kept."""
    response = send_from_directory(_ASSETS, name)
    response.headers["Cache-Control"] = f"public, max-age={_YEAR_SECONDS}, immutable"
    return response
