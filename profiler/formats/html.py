"""HTML: an interactive flamegraph as one file, which needs no network and no server.

The page's own flamegraph (`server/web/src/export`), built into a template, with the profile in its
packed form, gzip and base64, in an element of the file. A policy in it lets nothing else run.
"""

import gzip
from base64 import b64encode
from html import escape
from pathlib import Path

from profiler.analysis import flamegraph, packed
from profiler.errors import UsageError
from profiler.model import Profile

MOST_NODES = 1_000_000
"""The largest ones; the file says how many were left out."""

_STATIC = Path(__file__).parents[2] / "server" / "static"

_GZIP_LEVEL = 6


def dumps(profile: Profile) -> bytes:
    """Raises UsageError where the template is not built."""
    before, after = template("export.html").split("{{flamegraph}}")
    before = before.replace("{{title}}", escape(title(profile)))
    return before.encode() + data(profile) + after.encode()


def template(name: str) -> str:
    """As `make web` builds it; a wheel brings it."""
    try:
        return (_STATIC / name).read_text()
    except FileNotFoundError:
        raise UsageError(f"{name} is not built: run `make web`") from None


def title(profile: Profile) -> str:
    """Its type, and the labels that all of it shares."""
    labels = ", ".join(value for _, value in profile.labels)
    return f"{profile.type.name} · {labels}" if labels else profile.type.name


def data(profile: Profile) -> bytes:
    """What the template reads."""
    graph = flamegraph.build(profile, MOST_NODES)
    return b64encode(gzip.compress(packed.pack(graph, {}), _GZIP_LEVEL, mtime=0))
