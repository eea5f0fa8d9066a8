"""What every response has: security headers, compression, its time in the metrics."""

import gzip
import logging
import time

import orjson
from flask import Flask, Response, g, request

from profiler.errors import UsageError
from server.api.backend import backend

_GZIP_FROM = 1024  # smaller ones fit into a packet as they are

_GZIP_LEVEL = 4  # a comparison: 5 % larger than at 5, in two thirds of the time

_log = logging.getLogger(__name__)

_HEADERS = {
    # The page is built without inline script and style, so nothing injected can run.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def install(app: Flask) -> None:
    app.before_request(_begin)
    app.after_request(_finish)


def answer(body: object) -> Response:
    """`body` as JSON."""
    return Response(as_json(body), content_type="application/json")


def as_json(body: object) -> bytes:
    """In the order in which it was written; arrays of numpy are lists."""
    try:
        return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    except orjson.JSONEncodeError as error:
        if "64-bit" in str(error):  # the sums of PostgreSQL have no bound
            raise UsageError(
                "the sums of this range exceed 64 bits: choose a shorter range"
            ) from None
        raise


def _begin() -> None:
    g.began = time.perf_counter()


def _finish(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    _compress(response)
    route = request.url_rule.rule if request.url_rule else "none"
    seconds = time.perf_counter() - g.began
    backend().metrics.request_seconds.labels(route, str(response.status_code)).observe(seconds)
    _log.debug(
        "%s %s: %d in %.3f s", request.method, request.full_path, response.status_code, seconds
    )
    return response


def _compress(response: Response) -> None:
    response.vary.add("Accept-Encoding")
    if (
        response.direct_passthrough
        or "Content-Encoding" in response.headers
        or not request.accept_encodings["gzip"]
        or (response.calculate_content_length() or 0) < _GZIP_FROM
    ):
        return
    response.set_data(gzip.compress(response.get_data(), _GZIP_LEVEL, mtime=0))
    response.headers["Content-Encoding"] = "gzip"
