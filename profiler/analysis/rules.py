r"""What a gate fails on, as people write it: which cost of which functions may grow how far.

    self>+0.5pp                   the share of a function itself, in percentage points
    total:json.*>+10%             of functions that match (all of the name), relative to before
    self>+0.05cores               CPUs a unit keeps busy, with --per cores
    total:handle_.*>+2ms          for each request, with --per request

>>> rule = parse("total:json.*>+10%")
>>> rule.column, rule.pattern, rule.absolute, rule.relative
('total', 'json.*', 0.0, 0.1)
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import re2

from profiler.errors import UsageError
from profiler.selector import compiled

Column = Literal["self", "total"]
Per = Literal["share", "cores", "request"]

UNITS: dict[str, tuple[Per, float]] = {
    "pp": ("share", 0.01),
    "cores": ("cores", 1.0),
    "ns": ("request", 1.0),
    "us": ("request", 1e3),
    "µs": ("request", 1e3),
    "ms": ("request", 1e6),
    "s": ("request", 1e9),
}
"""What an amount is of, and how much of that one is."""

_RULE = re.compile(r"(?P<column>[^:>]*?)\s*(?::(?P<pattern>.*))?>\s*(?P<bound>[^>]*)", re.DOTALL)
_BOUND = re.compile(r"\+?(?P<number>\d+(\.\d+)?|\.\d+)\s*(?P<unit>[a-zµ%]*)")
_EXAMPLES = "self>+0.5pp or total:json.*>+10%"


@dataclass(frozen=True, slots=True)
class Rule:
    """Fails where a function's `column` is more than `absolute` above, or `relative` beyond, what
    it was; at most one of the two is not 0. `per` is None where the bound fits any denominator."""

    text: str
    column: Column
    pattern: str | None
    absolute: float = 0.0
    relative: float = 0.0
    per: Per | None = None

    def matches(self, names: Sequence[str]) -> list[bool]:
        """Which functions it is about."""
        if self.pattern is None:
            return [True] * len(names)
        pattern = compiled(self.pattern)
        return [pattern.fullmatch(name) is not None for name in names]


def parse(text: str, flag: str = "--fail") -> Rule:
    """The rule; raises UsageError that says what is wrong with it and how one looks."""
    match = _RULE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{flag} {text!r}: expected COLUMN[:REGEX]>+BOUND, such as {_EXAMPLES}")
    column = match["column"].strip()
    if column not in ("self", "total"):
        raise UsageError(f"{flag} {text!r}: {column!r} is no column; choose self or total")
    _check_pattern(flag, text, match["pattern"])
    bound = _BOUND.fullmatch(match["bound"].strip())
    if bound is None:
        raise UsageError(
            f"{flag} {text!r}: {match['bound']!r} is no bound; write +0.5pp, +10% or +2ms"
        )
    number, unit = float(bound["number"]), bound["unit"]
    if unit == "%":
        return Rule(text, _column(column), match["pattern"], relative=number / 100)
    if unit not in UNITS:
        raise UsageError(
            f"{flag} {text!r}: {unit or 'no unit'!s} after {bound['number']}; "
            f"choose from %, {', '.join(UNITS)}"
        )
    per, one = UNITS[unit]
    return Rule(text, _column(column), match["pattern"], absolute=number * one, per=per)


def check(rules: Sequence[Rule], per: Per) -> None:
    """Raises UsageError where a bound is in the unit of another denominator."""
    for rule in rules:
        if rule.per not in (None, per):
            raise UsageError(
                f"--fail {rule.text!r} is a bound per {rule.per}: add --per {rule.per}"
            )


def _column(text: str) -> Column:
    return "self" if text == "self" else "total"


def _check_pattern(flag: str, text: str, pattern: str | None) -> None:
    try:
        compiled(pattern or "")
    except re2.error as error:
        reason = error.args[0].decode("utf-8", "replace")
        raise UsageError(f"{flag} {text!r}: not a regular expression (RE2): {reason}") from None
