"""Which version of a service came when: as hosts were seen to run it, and as CI says."""

from dataclasses import replace
from http import HTTPStatus

import orjson
from flask import Blueprint, Response, request
from werkzeug.exceptions import TooManyRequests

from profiler import timerange
from profiler.errors import UsageError
from profiler.selector import Matcher
from profiler.timerange import SECOND
from profiler.wire import limits
from server.api import urls
from server.api.arguments import SELECTION, Arguments, ParameterError
from server.api.backend import backend
from server.api.responses import answer
from server.query import deploys as query
from server.store import deploys
from server.store.catalog import SERVICE
from server.store.deploys import Deploy, Program, Version

_MS = SECOND // 1000

_USUAL_DEPLOYS = 1000

_MOST_DEPLOYS = 100_000

_MOST_BYTES = 16 << 10

MOST_A_DAY = 1000
"""Of a service and environment."""

_SOON_NS = 5 * 60 * SECOND
"""What is later than this is no difference of clocks."""

_MEMBERS = ("service", "version", "revision", "environment", "time")

blueprint = Blueprint("deploys", __name__)


@blueprint.get(urls.DEPLOYS)
def show() -> Response:
    given = Arguments(*SELECTION, "service", "limit")
    selector, within = given.selector(), given.within()
    if (service := given.text("service")) is not None:
        matcher = Matcher(SERVICE, "=", service)
        selector = replace(selector, matchers=(*selector.matchers, matcher))
    limit = given.integer("limit", _USUAL_DEPLOYS, 1, _MOST_DEPLOYS)
    shown, total = [], 0
    with backend().database.read() as transaction:
        for one in query.select(transaction, backend().tenant, selector, within):
            total += 1
            if total <= limit:
                shown.append(row(one))
    hidden = {"deploys": total - len(shown)}
    return answer({"deploys": shown, "deploys_total": total, "hidden": hidden})


@blueprint.post(urls.DEPLOYS)
def add() -> Response:
    """201 for a new one, 200 for one that is known, whoever asks how often."""
    Arguments()
    given, now_ns = _Body(), backend().clock.now_ns()
    program = Program(given.required("service"), given.text("environment"), "")
    version = Version(program, given.required("version"))
    time_ns = given.time(now_ns)
    tenant = backend().tenant
    with backend().database.write() as transaction:
        made, new = deploys.post(transaction, tenant, version, given.text("revision"), time_ns)
        if new and deploys.opened(transaction, tenant, time_ns, program) > MOST_A_DAY:
            raise TooManyRequests(
                f"service {program.service!r:.80} has had {MOST_A_DAY} deploys in the day before"
            )
    if new:
        backend().metrics.deploys.labels("posted").inc()
    response = answer(row(made))
    response.status_code = HTTPStatus.CREATED if new else HTTPStatus.OK
    return response


class _Body:
    """The JSON object of the request; a mistake is refused with the name of the member."""

    def __init__(self) -> None:
        if request.mimetype != "application/json":  # which no page on the web may send here
            raise UsageError("the body is to be JSON, with the Content-Type application/json")
        request.max_content_length = _MOST_BYTES
        try:
            given = orjson.loads(request.get_data())
        except ValueError:
            given = None
        if not isinstance(given, dict):
            raise UsageError('the body is no JSON object such as {"service": …, "version": …}')
        for name in given.keys() - set(_MEMBERS):
            raise ParameterError(name[:64], f"unknown; there are {', '.join(_MEMBERS)}")
        self._given = given

    def text(self, name: str) -> str:
        """ "" where it is not given."""
        text = self._given.get(name, "")
        if not isinstance(text, str) or not text.isprintable():
            raise ParameterError(name, "is to be a printable text")
        if len(text.encode()) > limits.LABEL_BYTES:
            raise ParameterError(name, f"has more than {limits.LABEL_BYTES} bytes")
        return text

    def required(self, name: str) -> str:
        return self.text(name) or _missing(name)

    def time(self, now_ns: int) -> int:
        """Now where it is not given."""
        given = self._given.get("time", "now")
        if isinstance(given, bool) or not isinstance(given, int | str):
            raise ParameterError("time", "is to be a text or a number")
        try:
            time_ns = timerange.parse_time(str(given)[:64], now_ns)
        except UsageError as error:
            raise ParameterError("time", str(error)) from None
        if time_ns > now_ns + _SOON_NS:
            raise ParameterError("time", f"{str(given)[:64]} has not come yet")
        return time_ns


def _missing(name: str) -> str:
    raise ParameterError(name, "is to be given")


def row(one: Deploy) -> dict[str, object]:
    return {
        "time": one.began_ns // _MS,
        "last": one.last_ns // _MS,
        "service": one.version.program.service,
        "environment": one.version.program.environment,
        "executable": one.version.program.executable,
        "version": one.version.name,
        "previous": one.previous,
        "revision": one.revision,
        "posted": one.posted,
        "host": one.host_name,
        "hosts": one.hosts,
    }
