r"""The rules of alerts, as they stand in the file that `profiler serve --alerts` names.

    [[alert]]
    name = "json"
    query = 'cpu{service_name="checkout"}'
    function = 'json\..*'         # RE2, the whole name
    cost = "total"
    share = "20%"                # or growth = "10%", or after_deploy = "10%"
    window = "15m"
    for = "10m"

A mistake is an error at the start, with the file, the rule and the value: an alert that is not
evaluated must not look like one that does not fire.
"""

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from profiler import selector, timerange
from profiler.analysis import rules as bounds
from profiler.errors import UsageError
from profiler.selector import Selector
from profiler.timerange import SECOND, UNITS
from server.query import matching

MOST_RULES = 100
"""Each is some queries a minute, and some time series of /metrics."""

_MOST_BYTES = 1 << 20

_MOST_TEXT = 1024
"""Characters of an expression, a label or an annotation."""

_MOST_LABELS = 32

_NAME = re.compile(r"[\w.:/-]{1,128}", re.ASCII)
_LABEL = re.compile(r"[A-Za-z_]\w{0,127}", re.ASCII)


class Condition(StrEnum):
    SHARE = "share"
    GROWTH = "growth"
    AFTER_DEPLOY = "after_deploy"


@dataclass(frozen=True, slots=True)
class Rule:
    """`bound` says of which cost of which functions how much is too much: of a share, how much of
    it; of the other conditions, how much more than before."""

    name: str
    selector: Selector
    condition: Condition
    bound: bounds.Rule
    window_ns: int
    for_ns: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Webhook:
    url: str
    timeout_ns: int


@dataclass(frozen=True, slots=True)
class Alerts:
    rules: tuple[Rule, ...] = ()
    every_ns: int = UNITS["m"]
    webhook: Webhook | None = None
    page: str = ""
    """Where people find the server's page."""


def read(path: Path) -> Alerts:
    """Raises UsageError."""
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1)
        if len(text) > _MOST_BYTES:
            raise UsageError(f"{path}: more than {_MOST_BYTES} bytes of alerts")
        document = tomllib.loads(text.decode())
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # TOML's mistakes and those of UTF-8
        raise UsageError(f"{path}: {error}") from None
    return parse(document, str(path))


def parse(document: Mapping[str, object], file: str) -> Alerts:
    top = _Table(document, file, ("alert", "webhook", "every", "page"))
    tables = top.given.get("alert", [])
    if not isinstance(tables, list) or len(tables) > MOST_RULES:
        raise top.mistake("alert", f"expected [[alert]] tables, at most {MOST_RULES}")
    rules = tuple(_rule(table, f"{file}: alert {n}") for n, table in enumerate(tables, 1))
    names = [rule.name for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{file}: alert {name!r}: two rules have this name")
    every_ns = top.duration("every", "1m", 10 * SECOND, UNITS["h"])
    page = top.url("page") if "page" in top.given else ""
    webhook = top.given.get("webhook")
    return Alerts(rules, every_ns, None if webhook is None else _webhook(webhook, file), page)


def _webhook(given: object, file: str) -> Webhook:
    table = _Table(given, f"{file}: webhook", ("url", "timeout"))
    return Webhook(table.url("url"), table.duration("timeout", "5s", SECOND, 30 * SECOND))


_KEYS = (
    *("name", "query", "function", "cost", *Condition, "window", "for", "labels", "annotations"),
)


def _rule(given: object, where: str) -> Rule:
    name = _Table(given, where, _KEYS).matching("name", _NAME)
    table = _Table(given, f"{where.rpartition(' ')[0]} {name!r}", _KEYS)
    conditions = [each for each in Condition if each in table.given]
    if len(conditions) != 1:
        raise UsageError(f"{table.where}: expected one of {', '.join(Condition)}")
    (condition,) = conditions
    try:
        query = selector.parse(table.text("query"))
    except UsageError as error:
        raise table.mistake("query", str(error)) from None
    return Rule(
        name,
        query,
        condition,
        _bound(table, condition),
        table.duration("window", "15m", UNITS["m"], UNITS["w"]),
        table.duration("for", "0s", 0, UNITS["w"]),
        table.texts("labels"),
        table.texts("annotations"),
    )


def _bound(table: "_Table", condition: Condition) -> bounds.Rule:
    cost = table.text("cost", "self")
    if cost not in ("self", "total"):
        raise table.mistake("cost", "choose self or total")
    try:
        bound = bounds.parse(f"{cost}>+{table.text(condition)}", condition)
        bounds.check([bound], "share")
    except UsageError:
        raise table.mistake(condition, "expected a bound such as 10% or 0.5pp") from None
    if "function" not in table.given:
        if condition is Condition.SHARE:
            raise UsageError(f"{table.where}: a share is that of functions: give `function`")
        return bound
    if condition is Condition.SHARE and bound.absolute:
        raise table.mistake(condition, "expected a part of all, such as 10%")
    function = table.text("function")
    try:
        matching.pattern(function)
    except UsageError as error:
        raise table.mistake("function", str(error)) from None
    return replace(bound, pattern=function)


class _Table:
    """A table of the file; its mistakes name it, the key and the value."""

    def __init__(self, given: object, where: str, known: Collection[str]) -> None:
        if not isinstance(given, dict):
            raise UsageError(f"{where}: expected a table, found {given!r:.80}")
        for key in given.keys() - set(known):
            raise UsageError(f"{where}: unknown key {key:.64}; there are {', '.join(known)}")
        self.given = given
        self.where = where

    def mistake(self, key: str, says: str) -> UsageError:
        return UsageError(f"{self.where}: {key} {self.given.get(key)!r:.200}: {says}")

    def text(self, key: str, default: str = "") -> str:
        text = self.given.get(key, default)
        if not isinstance(text, str) or not 0 < len(text) <= _MOST_TEXT or not text.isprintable():
            raise self.mistake(key, f"expected 1 to {_MOST_TEXT} printable characters")
        return text

    def matching(self, key: str, expression: re.Pattern[str]) -> str:
        text = self.text(key)
        if not expression.fullmatch(text):
            raise self.mistake(key, f"expected {expression.pattern}")
        return text

    def duration(self, key: str, default: str, least_ns: int, most_ns: int) -> int:
        try:
            duration_ns = timerange.parse_duration(self.text(key, default))
        except UsageError as error:
            raise self.mistake(key, str(error)) from None
        if not least_ns <= duration_ns <= most_ns:
            raise self.mistake(key, f"expected {least_ns // SECOND} s to {most_ns // SECOND} s")
        return duration_ns

    def url(self, key: str) -> str:
        text = self.text(key)
        try:
            parts = urlsplit(text)
            fits = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            fits = False
        if not fits or not text.isascii() or " " in text or "@" in parts.netloc:
            # The value may hold a password, and this goes to a log.
            raise UsageError(
                f"{self.where}: {key}: expected http://HOST[:PORT]/… or https://…, and no password"
            )
        return text

    def texts(self, key: str) -> dict[str, str]:
        given = self.given.get(key, {})
        table = _Table(given, f"{self.where}: {key}", given if isinstance(given, dict) else ())
        if len(table.given) > _MOST_LABELS or not all(map(_LABEL.fullmatch, table.given)):
            raise self.mistake(key, f"expected at most {_MOST_LABELS} names such as severity")
        return {name: table.text(name) for name in table.given}
