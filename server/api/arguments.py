"""The parameters of a request. What cannot be meant is refused with the name of the parameter.

A parameter that a path does not know is refused too: a filter with a typing mistake must not
answer with the numbers of everything.
"""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TypeVar

from flask import request

from profiler import selector, timerange
from profiler.analysis import path, transform
from profiler.analysis.transform import GROUPS, Transform
from profiler.errors import SelectorError, UsageError
from profiler.selector import Selector
from server.api.backend import backend
from server.query.shown import Shown
from server.store.hours import TimeRange

T = TypeVar("T")

SELECTION = ("query", "from", "to")
"""What chooses samples, on every path that answers with some."""

SHOWN = ("focus", "hide", "fold", "threads", "recursion", "group")
"""What is done with the stacks, on every path that answers with some."""

_LABEL = "label:"

_DIGITS = 20  # int() of thousands of them takes its time, and then raises

_DEFAULTS = {"query": "cpu", "from": "now-1h", "to": "now"}


class ParameterError(UsageError):
    """A mistake in `parameter`, at the character `position` where that is known."""

    def __init__(self, parameter: str, message: str, position: int | None = None) -> None:
        super().__init__(f"{parameter}: {message}")
        self.parameter = parameter
        self.position = position


class Arguments:
    """The parameters of the request that is being answered; `known` names all that it takes."""

    def __init__(self, *known: str) -> None:
        takes = f"this path takes {', '.join(known)}" if known else "this path takes none"
        for name, values in request.args.lists():
            if name not in known:
                raise ParameterError(name[:64], f"unknown parameter; {takes}")
            if len(values) > 1:
                raise ParameterError(name, f"given {len(values)} times; give it once")
        self._given = request.args.to_dict()
        self._now_ns = backend().clock.now_ns()

    def selector(self, name: str = "query") -> Selector:
        text = self._given.get(name, _DEFAULTS["query"])
        try:
            return selector.parse(text)
        except SelectorError as error:
            raise ParameterError(name, str(error), error.position) from None

    def within(self, start: str = "from", end: str = "to") -> TimeRange:
        """Raises ParameterError for a range that holds nothing."""
        start_ns, end_ns = self._time(start), self._time(end)
        if start_ns >= end_ns:
            raise ParameterError(start, f"the range is empty; choose a time before `{end}`")
        return TimeRange(start_ns, end_ns)

    def has(self, name: str) -> bool:
        return name in self._given

    def duration(self, name: str) -> int | None:
        """Nanoseconds."""
        return self._parsed(name, timerange.parse_duration) if name in self._given else None

    def integer(self, name: str, default: int, least: int, most: int) -> int:
        text = self._given.get(name, str(default))
        decimal = text.isascii() and text.isdecimal() and len(text) <= _DIGITS
        if not decimal or not least <= int(text) <= most:
            raise ParameterError(name, f"{text[:64]!r}, expected a number from {least} to {most}")
        return int(text)

    def text(self, name: str) -> str | None:
        return self._given.get(name)

    def required(self, name: str) -> str:
        if not self._given.get(name):
            raise ParameterError(name, "is to be given")
        return self._given[name]

    def choice(self, name: str, choices: Collection[str]) -> str:
        """One of `choices`, the first where none is given."""
        text = self._given.get(name, next(iter(choices)))
        if text not in choices:
            raise ParameterError(name, f"{text[:64]!r}, choose from {', '.join(choices)}")
        return text

    def path(self, name: str) -> str:
        """The name of a node's path, "" where none is given."""
        text = self._given.get(name, "")
        if text:
            self._parsed(name, path.parsed)
        return text

    def shown(self) -> Shown:
        threads = self.choice("threads", ("keep", "merge")) == "merge"
        recursion = self.choice("recursion", ("keep", "collapse")) == "collapse"
        focus, hide, fold = (self._expression(name) for name in ("focus", "hide", "fold"))
        wanted = Transform(focus, hide, fold, threads, recursion)
        group = self._given.get("group", "function")
        if group.startswith(_LABEL) and group != _LABEL:
            return Shown(wanted, group.removeprefix(_LABEL))
        if group not in GROUPS:
            choices = f"{', '.join(GROUPS)}, {_LABEL}NAME"
            raise ParameterError("group", f"{group[:64]!r}, choose from {choices}")
        return Shown(replace(wanted, group=group))

    def _expression(self, name: str) -> str:
        text = self._given.get(name, "")
        self._parsed(name, transform.check)
        return text

    def _time(self, name: str) -> int:
        def parse(text: str) -> int:
            return timerange.parse_time(text, self._now_ns)

        return self._parsed(name, parse)

    def _parsed(self, name: str, parse: Callable[[str], T]) -> T:
        try:
            return parse(self._given.get(name, _DEFAULTS.get(name, "")))
        except UsageError as error:
            raise ParameterError(name, str(error)) from None
