"""The server's HTTP API as the command line asks it; docs/reference/http-api.md describes it."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from http import HTTPStatus
from http.client import BadStatusLine, HTTPException
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

from profiler.errors import ProfilerError, UnavailableError, UsageError

DEFAULT_SERVER = "http://127.0.0.1:8440"
TIMEOUT_S = 120
"""A merge of weeks takes seconds; who waits longer than this waits for nothing."""

_PROBLEM = "application/problem+json"


class Client:
    """Asks one server. What it answers with an error is raised as one line for people.

    UsageError for what the server finds wrong with the request, UnavailableError for the rest.
    """

    def __init__(self, server: str, timeout_s: float = TIMEOUT_S) -> None:
        self._server = server.rstrip("/")
        self._timeout_s = timeout_s
        proxies: dict[str, str] | None = {} if _is_this_machine(_checked(server)) else None
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies))

    def get(self, path: str, parameters: Mapping[str, str | int]) -> dict[str, Any]:
        """The JSON object at /api/v1/`path`."""
        return self._object(self.download(path, parameters))

    def post(self, path: str, body: Mapping[str, str | int]) -> dict[str, Any]:
        """The JSON object with which /api/v1/`path` answers one."""
        request = urllib.request.Request(
            f"{self._server}/api/v1/{path}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        return self._object(self._answer(request, body))

    def delete(self, path: str) -> dict[str, Any]:
        """The JSON object with which /api/v1/`path` answers its removal."""
        url = f"{self._server}/api/v1/{path}"
        return self._object(self._answer(urllib.request.Request(url, method="DELETE"), {}))

    def download(self, path: str, parameters: Mapping[str, str | int]) -> bytes:
        """The bytes at /api/v1/`path`."""
        return self._fetch(f"/api/v1/{path}?{urlencode(parameters)}", parameters)

    def ready(self) -> bool:
        """Whether the server can work; False where nothing answers or it says no."""
        try:
            self._fetch("/readyz", {})
        except ProfilerError:
            return False
        return True

    def _object(self, body: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise UnavailableError(f"{self._server} is not a profiler server: it sent no JSON")
        return answer

    def _fetch(self, path: str, parameters: Mapping[str, str | int]) -> bytes:
        return self._answer(urllib.request.Request(self._server + path), parameters)

    def _answer(
        self, request: urllib.request.Request, parameters: Mapping[str, str | int]
    ) -> bytes:
        try:
            with self._opener.open(request, timeout=self._timeout_s) as response:
                body: bytes = response.read()
                return body
        except urllib.error.HTTPError as error:
            with error:
                raise self._refusal(error, parameters) from None
        except urllib.error.URLError as error:
            raise self._no_answer(error.reason) from None
        except (OSError, HTTPException) as error:
            raise self._no_answer(error) from None

    def _no_answer(self, reason: object) -> UnavailableError:
        if isinstance(reason, ConnectionRefusedError):
            return UnavailableError(
                f'no server at {self._server}: connection refused; start one with "profiler serve"'
            )
        if isinstance(reason, TimeoutError):
            return UnavailableError(f"no answer from {self._server} within {self._timeout_s:g} s")
        if isinstance(reason, BadStatusLine):
            return UnavailableError(
                f"{self._server} does not speak HTTP: give the page's address, not the collectors'"
            )
        text = reason.strerror if isinstance(reason, OSError) and reason.strerror else reason
        return UnavailableError(f"no answer from {self._server}: {text}")

    def _refusal(
        self, error: urllib.error.HTTPError, parameters: Mapping[str, str | int]
    ) -> ProfilerError:
        problem = _problem(error)
        if problem is None:
            return UnavailableError(
                f"{self._server} is not a profiler server: it answered {error.code} {error.reason}"
            )
        detail = str(problem.get("detail", error.reason))
        if error.code >= 500 or error.code == HTTPStatus.TOO_MANY_REQUESTS:
            return UnavailableError(f"{self._server}: {detail}")
        return UsageError(detail + _pointed(problem, parameters))


def _problem(error: urllib.error.HTTPError) -> dict[str, Any] | None:
    if error.headers.get_content_type() != _PROBLEM:
        return None
    try:
        problem = json.loads(error.read(1 << 20))
    except (OSError, ValueError):
        return None
    return problem if isinstance(problem, dict) else None


def _pointed(problem: Mapping[str, Any], parameters: Mapping[str, str | int]) -> str:
    """The wrong parameter on a line of its own, with a caret under the mistake."""
    text = parameters.get(str(problem.get("parameter")))
    position = problem.get("position")
    if not isinstance(text, str) or not isinstance(position, int) or "\n" in text:
        return ""
    return f"\n  {text}\n  {' ' * position}^"


def _checked(server: str) -> SplitResult:
    try:
        url = urlsplit(server)
        valid = url.scheme in ("http", "https") and url.hostname and url.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise UsageError(f"no server's URL: {server!r:.80}; write it as {DEFAULT_SERVER}")
    return url


def _is_this_machine(url: SplitResult) -> bool:
    """A proxy that the environment names is for other machines."""
    try:
        return url.hostname == "localhost" or ip_address(url.hostname or "").is_loopback
    except ValueError:
        return False
