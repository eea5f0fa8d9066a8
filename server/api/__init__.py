"""HTTP: one blueprint a noun; docs/reference/http-api.md says what each answers."""

from flask import Flask

from server.api import (
    alerts,
    callers,
    catalog,
    coverage,
    deploys,
    diff,
    flamegraph,
    function,
    health,
    history,
    hosts,
    movers,
    openapi,
    overview,
    pages,
    problems,
    profiles,
    responses,
    sessions,
    stacks,
    timeline,
    top,
    trend,
)
from server.api.backend import Backend, attach

_NOUNS = (
    *(catalog, overview, timeline, flamegraph, top, callers, diff, function, history, trend),
    *(movers, stacks, hosts, coverage),
    *(alerts, deploys, profiles, sessions, openapi, health, pages),
)


LOOPBACK_NAMES = ["127.0.0.1", "[::1]", "localhost", ".localhost"]
"""Host headers that a server for this machine alone answers. A page on the web whose name was
made to point to 127.0.0.1 (DNS rebinding) would otherwise read every name and stack."""


def create_app(backend: Backend, host: str) -> Flask:
    """`host` is where it is served: with a loopback address, strangers' names are refused."""
    app = Flask("server", static_folder=None)
    if host in LOOPBACK_NAMES:
        app.config["TRUSTED_HOSTS"] = LOOPBACK_NAMES
    attach(app, backend)
    problems.install(app)
    responses.install(app)
    for noun in _NOUNS:
        app.register_blueprint(noun.blueprint)
    return app
