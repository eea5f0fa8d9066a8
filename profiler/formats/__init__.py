"""File formats for profiles, a module each with `dumps(profile) -> bytes` and `loads(bytes)`;
`files` reads any of them, and the text of `perf script`.

>>> by_name("folded").loads(b"main;f 3").total_samples
3
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from profiler.errors import UsageError
from profiler.formats import folded, html, pprof, recording, speedscope, svg
from profiler.model import Profile


@dataclass(frozen=True, slots=True)
class Format:
    """A format as users name it, the end of its files' names, and its two directions.

    `dumps_all` writes profiles of several types into one file, where the format has room for them.
    """

    name: str
    suffix: str
    content_type: str
    binary: bool
    dumps: Callable[[Profile], bytes]
    loads: Callable[[bytes], Profile]
    dumps_all: Callable[[Sequence[Profile]], bytes] | None = None


_BYTES = "application/octet-stream"
_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"

FORMATS = {
    format.name: format
    for format in (
        Format("folded", ".folded", _TEXT, False, folded.dumps, folded.loads),
        Format("pprof", ".pb.gz", _BYTES, True, pprof.dumps, pprof.loads, pprof.dumps_all),
        Format(
            *("recording", ".pb", _BYTES, True),
            *(recording.dumps, recording.loads, recording.dumps_all),
        ),
        Format("speedscope", ".speedscope.json", _JSON, False, speedscope.dumps, speedscope.loads),
    )
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A flamegraph to look at, which nobody reads back."""

    name: str
    suffix: str
    content_type: str
    dumps: Callable[[Profile], bytes]


PICTURES = {
    picture.name: picture
    for picture in (
        Picture("html", ".html", "text/html; charset=utf-8", html.dumps),
        Picture("svg", ".svg", "image/svg+xml", svg.dumps),
    )
}


def by_name(name: str) -> Format:
    """The format of this name; raises UsageError with the names there are."""
    try:
        return FORMATS[name]
    except KeyError:
        raise UsageError(f"no format {name!r:.40}; choose from {', '.join(FORMATS)}") from None
