"""A selection as it is to be shown: transformed, and side by side by the values of a label."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import sqlalchemy as sa

from profiler.analysis import forest as trees_of
from profiler.analysis import rooted, transform
from profiler.analysis.forest import Forest
from profiler.analysis.transform import Transform
from profiler.errors import UsageError
from profiler.model import Frame, Profile
from profiler.selector import Matcher
from server.query import selection as selections
from server.query.forest import forest as forest_of
from server.query.profile import merged_profile
from server.query.selection import Selection
from server.store.function_tree import FunctionTrees
from server.store.symbols import SymbolReader

MOST_VALUES = 50
"""Of a label: each is summed up by itself."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shown:
    """`label`: below a frame for each of its values; "" for none."""

    transform: Transform
    label: str = ""


def forest(
    transaction: sa.Connection,
    symbols: SymbolReader,
    functions: FunctionTrees,
    selection: Selection,
    shown: Shown,
) -> Forest:
    def of(part: Selection) -> Forest:
        if shown.transform.group == "line":
            profile = merged_profile(transaction, symbols, part)
            return trees_of.of(transform.of_profile(profile, shown.transform))
        return transform.of_forest(forest_of(transaction, functions, part), shown.transform)

    parts = list(_parts(transaction, selection, shown.label, of))
    return rooted.forests(parts) if parts else of(selection)


def profile(
    transaction: sa.Connection, symbols: SymbolReader, selection: Selection, shown: Shown
) -> Profile:
    def of(part: Selection) -> Profile:
        return transform.of_profile(merged_profile(transaction, symbols, part), shown.transform)

    parts = list(_parts(transaction, selection, shown.label, of))
    return rooted.profiles(parts) if parts else of(selection)


def _parts(
    transaction: sa.Connection, selection: Selection, label: str, of: Callable[[Selection], T]
) -> Iterator[tuple[Frame, T]]:
    """What `of` makes of each value; nothing without a label."""
    if not label:
        return
    values = sorted({series.labels.get(label, "") for series in selection.series})
    if len(values) > MOST_VALUES:
        raise UsageError(
            f"{label} has {len(values)} values here, at most {MOST_VALUES} are shown side by side: "
            "select fewer series"
        )
    selector = selection.selector
    for value in values:
        narrowed = replace(selector, matchers=(*selector.matchers, Matcher(label, "=", value)))
        part = selections.select(transaction, selection.tenant, narrowed, selection.within)
        yield rooted.root(value or f"[no {label}]"), of(part)
