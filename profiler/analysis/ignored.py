"""Functions whose growth a gate is told to bear: with a reason, and until a day.

    [[ignore]]
    function = "regex_*"                    # a glob, of the whole name
    reason = "the new parser, issue 1234"
    expires = 2027-01-31

Nobody may know in a year why something was ignored, so that it ends by itself.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from fnmatch import fnmatchcase
from typing import Any

from profiler.errors import UsageError

MAX_BYTES = 1 << 20
"""Of a file: some thousand entries."""

_KEYS = ("function", "reason", "expires")


@dataclass(frozen=True, slots=True)
class Ignore:
    """Bears the growth of functions that match the glob, on the day `expires` for the last time."""

    function: str
    reason: str
    expires: date

    def expired(self, today: date) -> bool:
        return today > self.expires


@dataclass(frozen=True, slots=True)
class Ignored:
    """All entries, as of today."""

    entries: tuple[Ignore, ...]
    today: date

    @property
    def expired(self) -> tuple[Ignore, ...]:
        return tuple(entry for entry in self.entries if entry.expired(self.today))

    def reason(self, function: str) -> str:
        """Why the growth of a function does not count; "" where it does."""
        for entry in self.entries:
            if not entry.expired(self.today) and fnmatchcase(function, entry.function):
                return f"ignored until {entry.expires}: {entry.reason}"
        return ""


def loads(text: str, today: date, name: str) -> Ignored:
    """The entries of a TOML file; raises UsageError that says of which what is wrong."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name}: not TOML: {error}") from None
    tables = document.pop("ignore", [])
    if document or not isinstance(tables, list):
        raise UsageError(f"{name}: expected tables [[ignore]] and nothing else")
    return Ignored(tuple(_entries(tables, name)), today)


def _entries(tables: Iterable[Any], name: str) -> Iterable[Ignore]:
    for number, table in enumerate(tables, start=1):
        if not isinstance(table, Mapping) or set(table) != set(_KEYS):
            raise UsageError(f"{name}: entry {number} needs {', '.join(_KEYS)}, and nothing else")
        function, reason, expires = (table[key] for key in _KEYS)
        if not isinstance(expires, date) or isinstance(expires, datetime):
            raise UsageError(f"{name}: entry {number}: expires is a day, such as 2027-01-31")
        if not (isinstance(function, str) and isinstance(reason, str) and reason.strip()):
            raise UsageError(f"{name}: entry {number}: function and reason are texts")
        yield Ignore(function, reason, expires)
