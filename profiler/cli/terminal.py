"""Text for people: names from strangers' processes made safe to print, numbers made short."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from profiler.errors import UnavailableError

UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"

_SCALES = ((3600 * 10**9, "h"), (60 * 10**9, "min"), (10**9, "s"), (10**6, "ms"), (10**3, "µs"))


def printable(text: str) -> str:
    """`text` without control characters: a function's name may hold a terminal's commands."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else UNPRINTABLE for character in text)


def amount(value: int, unit: str) -> str:
    """A value in the unit of its type: `12.5 s`, `3,401`, `512 bytes`."""
    if unit != "nanoseconds":
        return f"{value:,}" if unit == "count" else f"{value:,} {printable(unit)}"
    for scale, name in _SCALES:
        if value >= scale:
            return f"{value / scale:,.1f} {name}"
    return f"{value} ns"


def share(part: int, whole: int) -> str:
    """`12.5 %`; of nothing, nothing."""
    return f"{100 * part / whole:.1f} %" if whole else "-"


def cores(number: float | None) -> str:
    """CPUs in use, or nothing where what is counted is no time."""
    if number is None:
        return "-"
    return f"{number:,.1f}" if number >= 100 else f"{number:.3g}"


def when(ms: int, *, hours: bool = False) -> str:
    """A time of the API, to the day or to the minute."""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.strftime("%Y-%m-%d %H:%MZ" if hours else "%Y-%m-%d")


@contextmanager
def otherwise(server: str) -> Iterator[None]:
    """What a server's answer lacks is no mistake of this command."""
    try:
        yield
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise UnavailableError(
            f"{server} answers otherwise than this version reads: {error!r}"
        ) from None
