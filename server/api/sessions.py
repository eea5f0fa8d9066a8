"""Sessions: closer profiles that running collectors are asked for.

A POST must say that it sends JSON: then a page of another origin cannot make a browser send one
without asking first (CORS), which this server does not allow.
"""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from itertools import groupby
from operator import attrgetter
from typing import Any

from flask import Blueprint, Response, request

from profiler import selector, session, timerange
from profiler.errors import SelectorError, UsageError
from profiler.selector import Matcher, Selector
from profiler.timerange import SECOND
from server.api import problems, urls
from server.api.arguments import Arguments, ParameterError
from server.api.backend import backend
from server.api.context import sums
from server.api.responses import answer
from server.query.selection import HOST
from server.store import catalog, sessions
from server.store.hours import TimeRange
from server.store.sessions import MAX_HOSTS, Recording, Wanted

SEEN_NS = 600 * SECOND
"""How long ago a process must have been sampled for its host to be asked."""

_USUAL = {"query": "cpu", "event": "cpu", "frequency": 999, "duration": "30s"}

_LATEST = 50

_BODY_BYTES = 64 << 10

_MOST_HZ = 100_000
_MOST_NS = 24 * 3600 * SECOND
"""What a request may say at all; each node has limits of its own, far below."""

_MS = SECOND // 1000

blueprint = Blueprint("sessions", __name__)


@blueprint.post(urls.SESSIONS)
def ask() -> Response:
    Arguments()
    given = _body()
    chosen = _selector(str(given["query"]))
    wanted = Wanted(str(chosen), _event(given), _frequency(given), _duration(given))
    now_ns = backend().clock.now_ns()
    with backend().database.read() as transaction:
        seen = TimeRange(now_ns - SEEN_NS, now_ns + SEEN_NS)
        meant = catalog.select(transaction, backend().tenant, chosen, seen)
    hosts = {one.labels.get(HOST, "") for one in meant}
    if not hosts:
        raise ParameterError("query", f"nothing was sampled of {chosen} in the last 10 minutes")
    if len(hosts) > MAX_HOSTS:
        raise ParameterError(
            "query", f"{len(hosts)} hosts have it, at most {MAX_HOSTS} at once: name some by {HOST}"
        )
    try:
        with backend().database.write() as transaction:
            name = sessions.ask(transaction, backend().tenant, wanted, hosts, now_ns)
            found = sessions.find(transaction, backend().tenant, name)
    except sessions.TooManyError as error:
        refusal = problems.problem(HTTPStatus.TOO_MANY_REQUESTS, str(error))
        refusal.headers["Retry-After"] = "5"
        return refusal
    response = answer(_session(found))
    response.status_code = HTTPStatus.CREATED
    return response


@blueprint.get(urls.SESSIONS)
def show_latest() -> Response:
    Arguments()
    with backend().database.read() as transaction:
        found = sessions.latest(transaction, backend().tenant, _LATEST)
    by_session = groupby(found, attrgetter("session"))
    return answer({"sessions": [_session(list(group)) for _, group in by_session]})


@blueprint.get(urls.SESSION)
def show(name: str) -> Response:
    Arguments()
    if not session.is_id(name):
        return _unknown(name)
    with backend().database.read() as transaction:
        found = sessions.find(transaction, backend().tenant, name)
    return answer(_session(found)) if found else _unknown(name)


@blueprint.delete(urls.SESSION)
def stop(name: str) -> Response:
    Arguments()
    if not session.is_id(name):
        return _unknown(name)
    with backend().database.write() as transaction:
        sessions.stop(transaction, backend().tenant, name, backend().clock.now_ns())
        found = sessions.find(transaction, backend().tenant, name)
    return answer(_session(found)) if found else _unknown(name)


def _unknown(name: str) -> Response:
    return problems.problem(HTTPStatus.NOT_FOUND, f"no session {name[:64]!r} is known here")


def _body() -> Mapping[str, Any]:
    """The object that was sent, with what it does not say."""
    if request.mimetype != "application/json":
        raise UsageError("send a JSON object, as Content-Type: application/json")
    if (request.content_length or 0) > _BODY_BYTES:
        raise UsageError(f"the object is longer than {_BODY_BYTES} bytes")
    try:
        given = json.loads(request.get_data(cache=False))
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise UsageError("send a JSON object")
    for name in given.keys() - _USUAL.keys():
        raise ParameterError(name[:64], f"unknown member; there are {', '.join(_USUAL)}")
    return _USUAL | given


def _selector(text: str) -> Selector:
    """Without what says which session: that is of no process."""
    if not text.isprintable():  # JSON can hold what no database stores: NUL, halves of pairs
        raise ParameterError("query", "is to be a printable text")
    try:
        parsed = selector.parse(text)
    except SelectorError as error:
        raise ParameterError("query", str(error), error.position) from None

    def of_process(matcher: Matcher) -> bool:
        return matcher.name != session.LABEL

    return Selector(parsed.profile_type, tuple(filter(of_process, parsed.matchers)))


def _event(given: Mapping[str, Any]) -> str:
    event = given["event"]
    if not isinstance(event, str) or not 0 < len(event) <= 128 or not event.isprintable():
        raise ParameterError("event", "expected an event's name, such as cpu")
    return event


def _frequency(given: Mapping[str, Any]) -> int:
    value = given["frequency"]
    if type(value) is not int or not 0 < value <= _MOST_HZ:
        raise ParameterError("frequency", f"expected a number from 1 to {_MOST_HZ} (Hz)")
    return value


def _duration(given: Mapping[str, Any]) -> int:
    try:
        duration_ns = timerange.parse_duration(str(given["duration"]))
    except UsageError as error:
        raise ParameterError("duration", str(error)) from None
    if not SECOND <= duration_ns <= _MOST_NS:
        raise ParameterError("duration", "expected a duration from 1s to 24h")
    return duration_ns


def _session(found: Sequence[Recording]) -> dict[str, object]:
    first = found[0]
    windows = [one.window for one in found if one.window]
    return {
        "session": first.session,
        "open": any(one.state in session.OPEN for one in found),
        "query": first.wanted.selector,
        "event": first.wanted.event,
        "frequency": first.wanted.frequency_hz,
        "duration": first.wanted.duration_ns // _MS,
        "asked": first.asked_ns // _MS,
        "profile": {
            "query": session.query(first.wanted.event, first.session),
            "from": min((one.from_ns for one in windows), default=first.asked_ns) // _MS,
            "to": max((one.to_ns for one in windows), default=first.asked_ns) // _MS + 1,
        },
        "hosts": [_host(one) for one in found],
    }


def _host(one: Recording) -> dict[str, object]:
    return {
        "host_name": one.host_name,
        "state": one.state.value,
        "reason": one.reason,
        "processes": one.processes,
        "accounts": sums(one.accounts),
    }
