"""Times and durations as people type them, in nanoseconds.

    2026-03-01T12:00:00Z   2026-03-01T12:00:00.5+01:00   RFC 3339
    1772366400   1772366400.25   1772366400000           Unix time in seconds or milliseconds
    now   now-15m   now-1d12h                            before now

Everything is counted in integers: a double holds nanoseconds of today only to some hundred.
"""

import re
from datetime import UTC, datetime, timedelta

from profiler.errors import UsageError

SECOND = 1_000_000_000
UNITS = {
    "ms": SECOND // 1000,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3600 * SECOND,
    "d": 24 * 3600 * SECOND,
    "w": 7 * 24 * 3600 * SECOND,
}
LATEST = 2**63 - 1
"""The end of signed 64-bit nanoseconds, in the year 2262."""

MILLISECONDS_FROM = 10**11
"""Bare numbers from here on are milliseconds: as seconds they would lie after the year 5138."""

_RFC_3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_NUMBER = re.compile(r"(\d{1,19})(?:\.(\d{1,9}))?", re.ASCII)
_PART = re.compile(r"(\d{1,12})(ms|[smhdw])", re.ASCII)
_DURATION = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)


def parse_time(text: str, now_ns: int) -> int:
    """Unix nanoseconds that `text` means when it is `now_ns`; raises UsageError."""
    time_ns = _relative(text, now_ns)
    if time_ns is None:
        time_ns = _epoch(text)
    if time_ns is None:
        time_ns = _rfc_3339(text)
    if time_ns is None:
        raise UsageError(
            f"not a time: {_shown(text)}; write now-15m, 2026-03-01T12:00:00Z, "
            "or Unix seconds or milliseconds"
        )
    if not 0 <= time_ns <= LATEST:
        raise UsageError(f"{_shown(text)} lies outside 1970 to 2262")
    return time_ns


def parse_duration(text: str) -> int:
    """Nanoseconds in `15s`, `1h30m` or a bare number of seconds; raises UsageError."""
    number = _NUMBER.fullmatch(text)
    duration_ns = _decimal(number, SECOND) if number else _duration(text)
    if duration_ns is None:
        raise UsageError(
            f"not a duration: {_shown(text)}; write 15s, 1h30m or a number of seconds "
            f"(units: {', '.join(UNITS)})"
        )
    if duration_ns > LATEST:
        raise UsageError(f"{_shown(text)} is longer than 292 years")
    return duration_ns


def _relative(text: str, now_ns: int) -> int | None:
    if text == "now":
        return now_ns
    if not text.startswith("now-"):
        return None
    before_ns = _duration(text.removeprefix("now-"))
    return None if before_ns is None else now_ns - before_ns


def _epoch(text: str) -> int | None:
    number = _NUMBER.fullmatch(text)
    if not number:
        return None
    milliseconds = int(number[1]) >= MILLISECONDS_FROM
    return _decimal(number, UNITS["ms"] if milliseconds else SECOND)


def _rfc_3339(text: str) -> int | None:
    match = _RFC_3339.fullmatch(text)
    if not match:
        return None
    zone = "+00:00" if match[4] in "Zz" else match[4]
    try:
        moment = datetime.fromisoformat(f"{match[1]}T{match[2]}{zone}")
        seconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    except ValueError:
        return None
    return seconds * SECOND + int((match[3] or "").ljust(9, "0"))


def _duration(text: str) -> int | None:
    if not _DURATION.fullmatch(text):
        return None
    return sum(int(part[1]) * UNITS[part[2]] for part in _PART.finditer(text))


def _decimal(number: re.Match[str], unit_ns: int) -> int:
    """The number in nanoseconds, exactly; digits below a nanosecond are dropped."""
    return int(number[1]) * unit_ns + int((number[2] or "").ljust(9, "0")) * unit_ns // SECOND


def _shown(text: str) -> str:
    return repr(text) if len(text) <= 40 else repr(text[:40]) + "…"
