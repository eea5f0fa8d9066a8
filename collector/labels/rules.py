"""Rules that change the labels of a process, in the vocabulary of Prometheus's relabel_configs.

    [[collect.rule]]
    source_labels = ["__environment_TEAM", "process_executable_name"]
    regex = "payments;(.+)"
    target_label = "service_name"
    replacement = "payments-$1"

Each rule sees what the ones before it made. Labels that begin with `__` are for rules alone: they
are read only if a rule names them, and are gone after the last. Regular expressions are RE2's,
which take linear time whatever a process calls itself, and match as a whole.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from profiler.errors import UsageError

ACTIONS = (
    *("replace", "keep", "drop", "labelmap", "labeldrop", "labelkeep"),
    *("lowercase", "uppercase", "hashmod"),
)
_TARGETED = ("replace", "lowercase", "uppercase", "hashmod")
_SOURCED = ("keep", "drop", "lowercase", "uppercase", "hashmod")
_STRINGS = ("separator", "regex", "target_label", "replacement", "action")
_KEYS = ("source_labels", *_STRINGS, "modulus")

LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
MAX_VALUE = 4096
"""Characters of what a rule makes: what it made of other labels may be made of again."""
_REFERENCE = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))", re.ASCII)
ENVIRONMENT = "__environment_"
RESOURCE = "__resource_"
CONTAINER_LABEL = "__container_label_"
POD = "__pod_"
FAMILIES = (ENVIRONMENT, RESOURCE, CONTAINER_LABEL, POD + "label_", POD + "annotation_")
"""What labels begin with that others name."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`pattern` is the compiled `regex`. `modulus` is for hashmod alone."""

    source_labels: tuple[str, ...] = ()
    separator: str = ";"
    regex: str = "(.*)"
    target_label: str = ""
    replacement: str = "$1"
    action: str = "replace"
    modulus: int = 0
    pattern: Any = field(default=None, compare=False, repr=False)

    def apply(self, labels: dict[str, str]) -> bool:
        """Changes `labels`; False: the process is not to be profiled."""
        joined = self.separator.join(labels.get(name, "") for name in self.source_labels)
        match self.action:
            case "keep":
                return self._matches(joined)
            case "drop":
                return not self._matches(joined)
            case "lowercase":
                _set(labels, self.target_label, joined.lower())
            case "uppercase":
                _set(labels, self.target_label, joined.upper())
            case "hashmod":
                _set(labels, self.target_label, str(_hash(joined) % self.modulus))
            case "labelmap":
                found = [(match, labels[name]) for name in labels if (match := self._match(name))]
                for match, value in found:
                    _set(labels, _expanded(self.replacement, match), value)
            case "labeldrop" | "labelkeep":
                kept = self.action == "labelkeep"
                for name in [name for name in labels if self._matches(name) != kept]:
                    del labels[name]
            case _:
                if match := self._match(joined):
                    target = _expanded(self.target_label, match)
                    _set(labels, target, _expanded(self.replacement, match))
        return True

    def _match(self, text: str) -> Any:
        return self.pattern.fullmatch(text)

    def _matches(self, text: str) -> bool:
        return self._match(text) is not None


@dataclass(frozen=True, slots=True)
class Rules:
    """In the order in which they are applied."""

    rules: tuple[Rule, ...] = ()

    def apply(self, labels: Mapping[str, str]) -> dict[str, str] | None:
        """What becomes of labels, meta labels left out; None: not to be profiled."""
        changed = dict(labels)
        if not all(rule.apply(changed) for rule in self.rules):
            return None
        return {name: value for name, value in changed.items() if not name.startswith("__")}

    def names(self, meta: str) -> bool:
        """Whether a rule asks for this label: as a source, or in a labelmap by its name or by what
        all labels of its family begin with; so none is asked for by mistake."""
        return any(meta in rule.source_labels or _maps(rule, meta) for rule in self.rules)

    def variables(self) -> frozenset[bytes]:
        """Of the environment, those that are sources."""
        sources = (name for rule in self.rules for name in rule.source_labels)
        return frozenset(
            name.removeprefix(ENVIRONMENT).encode()
            for name in sources
            if name.startswith(ENVIRONMENT)
        )

    @property
    def map_variables(self) -> bool:
        """Whether a labelmap is for variables of the environment."""
        regexes = (rule.regex for rule in self.rules if rule.action == "labelmap")
        return any(regex.startswith(ENVIRONMENT) for regex in regexes)


def _maps(rule: Rule, meta: str) -> bool:
    if rule.action != "labelmap":
        return False
    family = next((each for each in FAMILIES if rule.regex.startswith(each)), None)
    if family and meta.startswith(family):
        return rule.pattern.fullmatch(meta) is not None
    return meta in rule.regex


def parse_rule(given: Mapping[str, object]) -> Rule:
    """A rule of its keys; raises UsageError."""
    if unknown := given.keys() - set(_KEYS):
        raise UsageError(f"rule: no key {min(unknown)!r}; it has {', '.join(_KEYS)}")
    for key in _STRINGS:
        if not isinstance(given.get(key, ""), str):
            raise UsageError(f"rule: {key} = {given[key]!r} is no string")
    sources = given.get("source_labels", [])
    if not isinstance(sources, list) or not all(isinstance(each, str) for each in sources):
        raise UsageError(f"rule: source_labels = {sources!r} is no list of strings")
    modulus = given.get("modulus", 0)
    if not isinstance(modulus, int) or isinstance(modulus, bool) or modulus < 0:
        raise UsageError(f"rule: modulus = {modulus!r} is no positive number")
    strings = {key: str(given[key]) for key in _STRINGS if key in given}
    rule = Rule(source_labels=tuple(sources), modulus=modulus, **strings)
    _check(rule)
    return replace(rule, pattern=_compiled(rule.regex))


def _check(rule: Rule) -> None:
    """Raises UsageError for a rule that can do nothing."""
    if rule.action not in ACTIONS:
        raise UsageError(f"rule: no action {rule.action!r}; there are {', '.join(ACTIONS)}")
    if rule.action in _TARGETED and not rule.target_label:
        raise UsageError(f"rule: {rule.action} needs a target_label")
    if rule.action in _SOURCED and not rule.source_labels:
        raise UsageError(f"rule: {rule.action} needs source_labels")
    if (rule.action == "hashmod") != bool(rule.modulus):
        raise UsageError("rule: hashmod needs a modulus above 0, and it alone has one")
    fixed = "$" not in rule.target_label or rule.action != "replace"
    for name in (*rule.source_labels, *([rule.target_label] if fixed else ())):
        if name and not LABEL.fullmatch(name):
            raise UsageError(f"rule: {name!r} is no label: letters, digits and underscores")


def _compiled(regex: str) -> Any:
    import re2  # 3 MB that a collector without rules does without

    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    try:
        return re2.compile(regex, options)
    except re2.error as error:
        reason = error.args[0].decode("utf-8", "replace") if error.args else "not RE2"
        raise UsageError(f"rule: regex {regex!r}: {reason}") from None


def _set(labels: dict[str, str], name: str, value: str) -> None:
    """An empty value takes a label away; what is no name is none."""
    if value:
        if LABEL.fullmatch(name):
            labels[name] = value[:MAX_VALUE]
    else:
        labels.pop(name, None)


def _expanded(template: str, match: Any) -> str:
    """`template` with $1, ${1}, $name and $$; a group that does not exist is empty."""

    def group(reference: re.Match[str]) -> str:
        dollar, braced, plain = reference.groups()
        if dollar:
            return "$"
        name = braced or plain
        try:
            return match[int(name) if name.isdecimal() else name] or ""
        except (IndexError, KeyError):
            return ""

    return _REFERENCE.sub(group, template)


def _hash(text: str) -> int:
    """As Prometheus has it: the last 8 bytes of the MD5."""
    return int.from_bytes(hashlib.md5(text.encode(), usedforsecurity=False).digest()[8:], "big")
