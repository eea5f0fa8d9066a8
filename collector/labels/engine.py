"""Asks a container engine what a container is called: Docker's API, which Podman speaks too.

    GET /containers/3f1c…/json HTTP/1.0
    {"Name": "/shop-1", "Image": "sha256:ab…", "Config": {"Image": "team/shop:1.4", "Labels": {…}}}

HTTP 1.0, so that the answer ends with the connection and comes in one piece. The names of the
fields are those of Docker's Engine API, ContainerInspect.
"""

import json
import re
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from collector.labels.facts import Container
from collector.processes.text import printable

PATIENCE_SECONDS = 2.0
"""For an answer, from the call to its last byte. Docker takes some milliseconds."""
MAX_ANSWER = 1 << 20
MAX_NAME = 256
_KUBERNETES = "io.kubernetes."
_OF_NO_LABEL = re.compile(r"[^A-Za-z0-9_]")


class Failed(Exception):
    """No answer that says anything; `outcome` is the name of its counter."""

    def __init__(self, outcome: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome


def inspect(
    path: Path,
    container_id: str,
    wanted: Callable[[str], bool],
    patience_seconds: float = PATIENCE_SECONDS,
) -> Container:
    """Raises Failed: `missing` where the engine does not know it, `timeout`, `refused`,
    `too_large`, `bad_answer`, `unreachable`."""
    return parse(get(path, f"/containers/{container_id}/json", patience_seconds), wanted)


def get(path: Path, target: str, patience_seconds: float) -> bytes:
    """The body that a server behind a socket answers with; raises Failed."""
    deadline = time.monotonic() + patience_seconds
    answer = bytearray()
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(patience_seconds)
            connection.connect(str(path))
            connection.sendall(f"GET {target} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            while piece := connection.recv(64 << 10):
                answer += piece
                left = deadline - time.monotonic()
                if len(answer) > MAX_ANSWER:
                    raise Failed("too_large")
                if left <= 0:
                    raise Failed("timeout")
                connection.settimeout(left)
    except TimeoutError:
        raise Failed("timeout") from None
    except OSError:
        raise Failed("unreachable") from None
    head, ended, body = bytes(answer).partition(b"\r\n\r\n")
    status = head.split(None, 2)[1:2]
    if not ended or status != [b"200"]:
        raise Failed("missing" if status == [b"404"] else "refused")
    return body


def parse(body: bytes, wanted: Callable[[str], bool]) -> Container:
    """The answer of an engine; raises Failed("bad_answer")."""
    try:
        found = json.loads(body)
        config = found["Config"]
        name = found["Name"].removeprefix("/")
        return described(name, config["Image"], found["Image"], config.get("Labels") or {}, wanted)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Failed("bad_answer") from None


def described(
    name: str,
    image: str,
    image_id: str,
    labels: Mapping[str, str],
    wanted: Callable[[str], bool],
) -> Container:
    """A container as an engine describes it; raises TypeError for what is no text."""
    image, tag = split_image(image)
    return Container(
        _name(labels.get(_KUBERNETES + "container.name") or name),
        _name(image),
        _name(tag),
        _name(image_id),
        _name(labels.get(_KUBERNETES + "pod.name", "")),
        _name(labels.get(_KUBERNETES + "pod.namespace", "")),
        _labels(labels, wanted),
    )


def split_image(reference: str) -> tuple[str, str]:
    """Name and tag of `registry:5000/team/shop:1.4@sha256:…`; a bare digest has neither."""
    name = reference.partition("@")[0]
    if name.startswith("sha256:"):
        return "", ""
    path, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    return path + slash + last, tag


def _labels(
    labels: Mapping[str, str], wanted: Callable[[str], bool]
) -> tuple[tuple[str, str], ...]:
    named = ((_OF_NO_LABEL.sub("_", name), value) for name, value in labels.items())
    return tuple(sorted((name, _name(value)) for name, value in named if wanted(name)))


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return printable(value, MAX_NAME)
