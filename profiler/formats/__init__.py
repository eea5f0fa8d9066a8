"""File formats for profiles, a module each with `dumps(profile) -> bytes` and `loads(bytes)`.

>>> by_name("folded").loads(b"main;f 3").total_samples
3
"""

from collections.abc import Callable
from dataclasses import dataclass

from profiler.errors import UsageError
from profiler.formats import folded, pprof, speedscope
from profiler.model import Profile


@dataclass(frozen=True, slots=True)
class Format:
    """A format as users name it, the end of its files' names, and its two directions."""

    name: str
    suffix: str
    content_type: str
    dumps: Callable[[Profile], bytes]
    loads: Callable[[bytes], Profile]


FORMATS = {
    format.name: format
    for format in (
        Format("folded", ".folded", "text/plain; charset=utf-8", folded.dumps, folded.loads),
        Format("pprof", ".pb.gz", "application/octet-stream", pprof.dumps, pprof.loads),
        Format(
            "speedscope",
            ".speedscope.json",
            "application/json",
            speedscope.dumps,
            speedscope.loads,
        ),
    )
}


def by_name(name: str) -> Format:
    """The format of this name; raises UsageError with the names there are."""
    try:
        return FORMATS[name]
    except KeyError:
        raise UsageError(f"no format {name!r:.40}; choose from {', '.join(FORMATS)}") from None
