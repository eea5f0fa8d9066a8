"""HTTP: one blueprint a noun; docs/reference/http-api.md says what each answers."""

from flask import Flask

from server.api import (
    catalog,
    flamegraph,
    health,
    openapi,
    pages,
    problems,
    profiles,
    responses,
    timeline,
    top,
)
from server.api.backend import Backend, attach

_NOUNS = (catalog, timeline, flamegraph, top, profiles, openapi, health, pages)


def create_app(backend: Backend) -> Flask:
    app = Flask("server", static_folder=None)
    attach(app, backend)
    problems.install(app)
    responses.install(app)
    for noun in _NOUNS:
        app.register_blueprint(noun.blueprint)
    return app
