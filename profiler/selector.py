r"""Selectors: a profile type, and matchers on the labels of its series, as in PromQL.

    cpu
    cpu{service_name="checkout", service_version=~`1\.4.*`}

A label that a series does not have counts as "". Strings are quoted by " or ' with the escapes of
PromQL, or by ` without any. Regular expressions are RE2's and match the whole value. RE2 rather
than `re`, because selectors come from strangers' URLs: its time is linear in the value's length,
whatever the pattern, where a backtracking engine can be kept busy for years by 20 characters.

Syntax: https://prometheus.io/docs/prometheus/latest/querying/basics/
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn

import re2

from profiler.errors import SelectorError

MAX_LENGTH = 4096
"""Characters; far above what people type, and it bounds the number of matchers."""

REGEX_MEMORY = 1 << 20
"""Bytes for one compiled expression. `\\pL{1000}` would otherwise take 8 MiB and its time."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r"=~|!~|!=|=(?!=)")
_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"' r"|'(?:[^'\\\n]|\\.)*'" r"|`[^`]*`")
_ESCAPE = re.compile(
    r"""\\(?:([abfnrtv\\'"])|x([0-9a-fA-F]{2})|([0-3][0-7]{2})|u([0-9a-fA-F]{4})"""
    r"|U([0-9a-fA-F]{8})|.)"
)
_CONTROLS = dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True))
_SURROGATE = re.compile("[\ud800-\udfff]")
_BLANK = re.compile(r"\s*")


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label: `op` is "=", "!=", "=~" or "!~"."""

    name: str
    op: str
    value: str

    def matches(self, value: str) -> bool:
        """Whether a label of this value ("" where a series has no such label) fits."""
        if self.op in ("=", "!="):
            return (value == self.value) == (self.op == "=")
        return (compiled(self.value).fullmatch(value) is not None) == (self.op == "=~")

    def __str__(self) -> str:
        return f"{self.name}{self.op}{_quoted(self.value)}"


@dataclass(frozen=True, slots=True)
class Selector:
    """Every series of `profile_type` whose labels fit all the matchers."""

    profile_type: str
    matchers: tuple[Matcher, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether a series of this type with these labels is selected."""
        return all(matcher.matches(labels.get(matcher.name, "")) for matcher in self.matchers)

    def __str__(self) -> str:
        """The canonical text, which parses to an equal selector."""
        if not self.matchers:
            return self.profile_type
        return f"{self.profile_type}{{{','.join(map(str, self.matchers))}}}"


def parse(text: str) -> Selector:
    """The selector that `text` spells; raises SelectorError at the character of a mistake."""
    if len(text) > MAX_LENGTH:
        raise SelectorError(f"a selector has at most {MAX_LENGTH} characters", MAX_LENGTH)
    surrogate = _SURROGATE.search(text)
    if surrogate:
        raise SelectorError("a selector is Unicode text", surrogate.start())
    scanner = _Scanner(text)
    profile_type = scanner.take(_NAME) or scanner.fail("a profile type, such as cpu")
    matchers = _matchers(scanner) if scanner.take_text("{") else None
    if not scanner.at_end():
        scanner.fail("{ or the end" if matchers is None else "the end after }")
    return Selector(profile_type, matchers or ())


def _matchers(scanner: "_Scanner") -> tuple[Matcher, ...]:
    """What stands between the braces, the opening one already taken; a last comma is allowed."""
    matchers: list[Matcher] = []
    while not scanner.take_text("}"):
        matchers.append(_matcher(scanner, "a label name or }" if not matchers else "a label name"))
        if scanner.take_text(","):
            continue
        if not scanner.take_text("}"):
            scanner.fail(f"a comma or }} after the matcher of {_quoted(matchers[-1].name)}")
        break
    return tuple(matchers)


def _matcher(scanner: "_Scanner", wanted: str) -> Matcher:
    name = scanner.take(_NAME) or scanner.fail(wanted)
    operator = scanner.take(_OPERATOR) or scanner.fail(
        f"a matcher operator (=, !=, =~, !~) after label {_quoted(name)}"
    )
    value, start = scanner.string(f"a quoted value after {name}{operator}")
    if operator in ("=~", "!~"):
        try:
            compiled(value)
        except re2.error as error:
            reason = error.args[0].decode("utf-8", "replace")
            raise SelectorError(f"not a regular expression (RE2): {reason}", start) from None
    return Matcher(name, operator, value)


class _Scanner:
    """A place in the text, and what may be taken from there."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.position = 0
        self._skip_blanks()

    def at_end(self) -> bool:
        return self.position == len(self._text)

    def take(self, pattern: re.Pattern[str]) -> str | None:
        """What `pattern` matches here, and moves behind it; None where it does not match."""
        match = pattern.match(self._text, self.position)
        if match is None:
            return None
        self.position = match.end()
        self._skip_blanks()
        return match[0]

    def take_text(self, text: str) -> bool:
        if not self._text.startswith(text, self.position):
            return False
        self.position += len(text)
        self._skip_blanks()
        return True

    def string(self, wanted: str) -> tuple[str, int]:
        """The value of the string that stands here, and where it starts."""
        start = self.position
        quote = self._text[start : start + 1]
        if quote not in ('"', "'", "`"):
            self.fail(wanted)
        token = self.take(_STRING)
        if token is None:
            raise SelectorError(f"the string has no closing {quote}", start)
        return (token[1:-1] if quote == "`" else _unescaped(token, start)), start

    def fail(self, wanted: str) -> NoReturn:
        found = "the end" if self.at_end() else _quoted(self._text[self.position])
        raise SelectorError(f"expected {wanted}, found {found}", self.position)

    def _skip_blanks(self) -> None:
        match = _BLANK.match(self._text, self.position)
        self.position = match.end() if match else self.position


def _unescaped(token: str, start: int) -> str:
    """The value of a quoted string at `start`; \\x and octal stand for ASCII, \\u for the rest."""

    def character(match: re.Match[str]) -> str:
        plain, ascii_hex, octal, unicode_hex = match[1], match[2], match[3], match[4] or match[5]
        if plain and (plain not in "'\"" or plain == token[0]):
            return _CONTROLS.get(plain, plain)
        code = int(octal, 8) if octal else int(ascii_hex or unicode_hex or "-1", 16)
        limit = sys.maxunicode + 1 if unicode_hex else 0x80
        if code not in range(limit) or _SURROGATE.match(chr(code)):
            raise SelectorError(f"unknown escape {match[0]}", start + match.start())
        return chr(code)

    return _ESCAPE.sub(character, token)[1:-1]


def _quoted(text: str) -> str:
    """`text` as a string of the syntax, on one line."""
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda match: f"\\x{ord(match[0]):02x}", text) + '"'


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> "re2._Regexp":
    """Of RE2, which takes time in proportion to the text; raises re2.error."""
    options = re2.Options()
    options.max_mem = REGEX_MEMORY
    options.dot_nl = True
    options.never_capture = True
    options.log_errors = False
    return re2.compile(pattern, options)
