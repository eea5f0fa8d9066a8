"""Fetches the list of a node's pods: from the kubelet, or from a file."""

import os
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from collector.labels.engine import Failed
from collector.processes.procfs import read_descriptor
from collector.symbols.files import open_regular

MAX_BYTES = 32 << 20
"""A pod has some 10 to 20 KiB of JSON."""
PATIENCE_SECONDS = 10.0
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where Kubernetes mounts what a pod needs to call it."""
_PIECE = 256 << 10


@dataclass(frozen=True, slots=True)
class Access:
    """Files: `token`, if it is there, is sent to the kubelet, and read anew each time, for it
    expires. `ca` is what its certificate is checked by; None: it is not checked."""

    token: Path | None = SERVICE_ACCOUNT / "token"
    ca: Path | None = SERVICE_ACCOUNT / "ca.crt"


def read_file(path: str) -> bytes:
    """Raises Failed."""
    fd = open_regular(os.fsencode(path))
    if fd is None:
        raise Failed("missing")
    try:
        body = read_descriptor(fd, MAX_BYTES + 1)
    except OSError:
        raise Failed("missing") from None
    finally:
        os.close(fd)
    if len(body) > MAX_BYTES:
        raise Failed("too_large")
    return body


def fetch(url: str, access: Access, patience_seconds: float) -> bytes:
    """What a server answers; raises Failed. No proxy and no redirection is followed: they would be
    told the token."""
    deadline = time.monotonic() + patience_seconds
    body = bytearray()
    try:
        request = urllib.request.Request(url, headers=_headers(url, access))
        with _opener(url, access).open(request, timeout=patience_seconds) as response:
            while piece := response.read1(_PIECE):
                body += piece
                if len(body) > MAX_BYTES:
                    raise Failed("too_large")
                if time.monotonic() > deadline:
                    raise Failed("timeout")
    except urllib.error.HTTPError as error:
        error.close()
        raise Failed("refused") from None
    except TimeoutError:
        raise Failed("timeout") from None
    except urllib.error.URLError as error:
        slow = isinstance(error.reason, TimeoutError)
        raise Failed("timeout" if slow else "unreachable") from None
    except (HTTPException, OSError, ValueError):
        raise Failed("unreachable") from None
    return bytes(body)


def _headers(url: str, access: Access) -> dict[str, str]:
    """Who we are, for those who are asked in secret."""
    if access.token is None or not url.startswith("https:"):
        return {}
    try:
        return {"Authorization": f"Bearer {access.token.read_text().strip()}"}
    except FileNotFoundError:
        return {}


def _opener(url: str, access: Access) -> urllib.request.OpenerDirector:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if access.ca is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif url.startswith("https:"):
        context.load_verify_locations(access.ca)
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=context),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener
