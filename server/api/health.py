"""For those who watch the server: whether it lives, whether it can work, what it counts."""

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST

from server.api import urls
from server.api.backend import backend
from server.store import migrations

blueprint = Blueprint("health", __name__)


@blueprint.get(urls.HEALTH)
def healthy() -> Response:
    return Response("ok\n", content_type="text/plain")


@blueprint.get(urls.READY)
def ready() -> Response:
    """503 with the reason where the database does not answer, is at another version, or full."""
    database = backend().database
    migrations.check(database)
    if (full := database.full) is not None:
        raise full
    return Response("ready\n", content_type="text/plain")


@blueprint.get(urls.METRICS)
def metrics() -> Response:
    return Response(backend().metrics.text(), content_type=CONTENT_TYPE_LATEST)
