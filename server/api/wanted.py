"""Which functions a request means: by name, file and binary, or by an expression."""

from collections.abc import Iterator

import sqlalchemy as sa

from profiler.analysis.grouping import FunctionKey
from profiler.errors import UsageError
from server.api.arguments import Arguments, ParameterError
from server.api.backend import backend
from server.query import matching
from server.query.history import Chosen, Wanted
from server.query.selection import Selection

FUNCTIONS = ("function", "file", "binary", "match")


def check(given: Arguments) -> None:
    """Raises ParameterError unless one of `function` and `match` is given, and can be meant."""
    if (given.text("function") is None) == (given.text("match") is None):
        raise ParameterError("function", "give it, or `match`")
    if (text := given.text("match")) is not None:
        try:
            matching.pattern(text)
        except UsageError as error:
            raise ParameterError("match", str(error)) from None


def wanted(transaction: sa.Connection, given: Arguments, selection: Selection) -> Wanted | Chosen:
    """Those of `function`, or those of the selection that `match`."""
    file, binary = given.text("file"), given.text("binary")
    if (text := given.text("match")) is None:
        return Wanted(given.required("function"), file, binary)
    try:
        found = matching.matching(transaction, backend().functions, selection, text)
    except UsageError as error:
        raise ParameterError("match", str(error)) from None
    return Chosen(frozenset(_within(found, file, binary)))


def _within(
    found: frozenset[FunctionKey], file: str | None, binary: str | None
) -> Iterator[FunctionKey]:
    for key in found:
        if file in (None, key[1]) and binary in (None, key[2]):
            yield key


def named(key: FunctionKey) -> dict[str, str]:
    function, file, binary, kind = key
    return {"function": function, "file": file, "binary": binary, "kind": kind.name.lower()}
