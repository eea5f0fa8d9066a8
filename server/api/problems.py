"""Errors as RFC 9457 has them: `application/problem+json`, with what the sender can mend."""

import logging
from http import HTTPStatus

from flask import Flask, Response, json
from werkzeug.exceptions import HTTPException, NotFound, SecurityError

from profiler.errors import NotComparable, UnavailableError, UsageError
from server.api import urls
from server.api.arguments import ParameterError

_log = logging.getLogger(__name__)


def install(app: Flask) -> None:
    """Every error of `app` becomes a problem; none shows a traceback."""
    app.register_error_handler(UsageError, _usage)
    app.register_error_handler(NotComparable, _not_comparable)
    app.register_error_handler(UnavailableError, _unavailable)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _bug)


def problem(status: int, detail: str, **members: object) -> Response:
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **members,
    }
    return Response(json.dumps(body), status, content_type="application/problem+json")


def _usage(error: UsageError) -> Response:
    members: dict[str, object] = {}
    if isinstance(error, ParameterError):
        members["parameter"] = error.parameter
        if error.position is not None:
            members["position"] = error.position
    return problem(HTTPStatus.BAD_REQUEST, str(error), **members)


def _not_comparable(error: NotComparable) -> Response:
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))


def _unavailable(error: UnavailableError) -> Response:
    response = problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
    response.headers["Retry-After"] = "5"
    return response


def _http(error: HTTPException) -> Response:
    if isinstance(error, NotFound):
        return problem(
            HTTPStatus.NOT_FOUND,
            f"no such path; the page is at /, {urls.OPENAPI} describes the API",
        )
    if isinstance(error, SecurityError):
        return problem(
            HTTPStatus.MISDIRECTED_REQUEST,
            "this server answers for this machine alone (127.0.0.1, localhost); "
            "serve on another --http address to be reached by other names",
        )
    response = problem(error.code or 500, error.description or error.name)
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after"):
            response.headers[name] = value
    return response


def _bug(error: Exception) -> Response:
    _log.error("a request failed", exc_info=error)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "a mistake of the server; its log says more")
