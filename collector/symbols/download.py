"""One file from a server that may be slow, endless, or answer with anything."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse, IncompleteRead
from typing import IO

MAX_SECONDS = 600
ENOUGH_BYTES = 100_000
"""That a server must send in each `patience_seconds`, as elfutils' client asks for."""
PIECE = 256 << 10


class Failed(Exception):
    """No file; `cause` is the name of its counter: `missing` where the server has none."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Bounds:
    patience_seconds: float
    max_bytes: int


def _opener() -> urllib.request.OpenerDirector:
    """HTTP and HTTPS, by proxies of the environment; no file: nor ftp:, also not by redirection."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    opener.addheaders = [("User-Agent", "profiler")]
    return opener


def download(url: str, target: IO[bytes], bounds: Bounds, stopped: Callable[[], bool]) -> None:
    """Writes what the server answers to `target`. Raises Failed."""
    began = time.monotonic()
    try:
        with _opener().open(url, timeout=bounds.patience_seconds) as response:
            size = int(response.headers.get("Content-Length") or 0)
            if size > bounds.max_bytes:
                raise Failed("too_large")
            received = _copy(response, target, bounds, began, stopped)
            if received < size:
                raise Failed("cut")
    except urllib.error.HTTPError as error:
        error.close()
        raise Failed("missing" if error.code == 404 else "refused") from None
    except TimeoutError:
        raise Failed("timeout") from None
    except urllib.error.URLError as error:
        slow = isinstance(error.reason, TimeoutError)
        raise Failed("timeout" if slow else "unreachable") from None
    except IncompleteRead:
        raise Failed("cut") from None
    except (HTTPException, OSError, ValueError):  # ValueError: what is no URL, or no length
        raise Failed("unreachable") from None


def _copy(
    response: HTTPResponse,
    target: IO[bytes],
    bounds: Bounds,
    began: float,
    stopped: Callable[[], bool],
) -> int:
    received = 0
    while piece := response.read1(PIECE):
        received += len(piece)
        if received > bounds.max_bytes:
            raise Failed("too_large")
        seconds = time.monotonic() - began
        periods = int(seconds / bounds.patience_seconds)
        if seconds > MAX_SECONDS or received < periods * ENOUGH_BYTES:
            raise Failed("timeout")
        if stopped():
            raise Failed("stopped")
        target.write(piece)
    return received
