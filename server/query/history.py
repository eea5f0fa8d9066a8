"""What a function cost in each hour of a range, exactly, wherever its samples stand.

Days of whole services come from the function history, hours that are not in it from the widest sums
there are, and what is not yet compacted is added to both.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from profiler.analysis.grouping import FunctionKey
from profiler.errors import UsageError
from server.query.selection import Selection
from server.store import history, hot, rollup, samples, stale
from server.store.blob import DamagedError
from server.store.function_tree import FunctionTree, FunctionTrees
from server.store.group import Group
from server.store.history import COSTS, Costs
from server.store.hours import DAY_HOURS, HOUR_NS, TimeRange
from server.store.plan import Level, Run, Stale
from server.store.samples import Part
from server.store.sums import Log

MOST_CELLS = 1 << 20
"""Functions times hours: 32 MB."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The functions of a name, or those of them in a file and binary."""

    function: str
    file: str | None = None
    binary: str | None = None

    @property
    def names(self) -> frozenset[str]:
        return frozenset((self.function,))

    def __str__(self) -> str:
        return f"functions {self.function!r:.80}"

    def means(self, key: FunctionKey) -> bool:
        function, file, binary, _ = key
        return (
            function == self.function
            and self.file in (None, file)
            and self.binary in (None, binary)
        )


@dataclass(frozen=True, slots=True)
class Chosen:
    """Some functions."""

    keys: frozenset[FunctionKey]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(function for function, *_ in self.keys)

    def __str__(self) -> str:
        return "functions that match"

    def means(self, key: FunctionKey) -> bool:
        return key in self.keys


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Costs by cost and hour, from the hour in which the range begins."""

    hours: range
    everything: Costs
    functions: dict[FunctionKey, Costs]
    """Largest total first."""


def read(
    transaction: sa.Connection, trees: FunctionTrees, selection: Selection, wanted: Wanted | Chosen
) -> History:
    """Raises UsageError where there are too many functions of that name, or the sums leave 64
    bits."""
    selection.check_sums()
    found = _Found(selection.kept.hours, wanted)
    other: defaultdict[int, list[Group]] = defaultdict(list)
    marked = stale.read(transaction, selection.selector.profile_type)
    for group in selection.groups:
        for part, days in _by_days(group, selection.kept, marked):
            found.add_days(transaction, part, days)
            for hour in _others(transaction, part, selection.kept, days):
                other[hour].append(part)
    fresh = set().union(
        *(hot.hours(transaction, group, selection.kept) for group in selection.groups)
    )
    standing = Standing(transaction, trees, wanted)
    for hour in sorted(fresh | other.keys()):
        within = _clipped(hour, selection.kept)
        with (
            closing(samples.compacted(transaction, other[hour], within)) as old,
            closing(samples.fresh(transaction, selection.groups, within)) as new,
        ):
            for one in chain(old, new):
                found.add(hour, None, [one.samples, one.samples, one.value, one.value])
                for key, costs in standing.costs(one):
                    found.add(hour, key, costs)
    return found.history()


def _by_days(
    group: Group, within: TimeRange, marked: dict[int, Stale]
) -> Iterator[tuple[Group, frozenset[int]]]:
    """The scopes of a group, by the days of which there is a history."""
    first, end = -(-within.from_ns // HOUR_NS), within.to_ns // HOUR_NS
    first, end = -(-first // DAY_HOURS) * DAY_HOURS, end // DAY_HOURS * DAY_HOURS
    whole = frozenset(range(first, end, DAY_HOURS) if group.whole else ())
    scopes: defaultdict[frozenset[int], list[int]] = defaultdict(list)
    for scope_id in group.scope_ids:
        scopes[whole - marked.get(scope_id, Stale()).days].append(scope_id)
    for days, scope_ids in scopes.items():
        yield replace(group, scope_ids=tuple(scope_ids)), days


def _others(
    transaction: sa.Connection, group: Group, within: TimeRange, days: frozenset[int]
) -> Iterator[int]:
    """The hours beside those days in which something is compacted."""
    hours = within.hours
    held = rollup.hours(transaction, group, Run(Level.SERIES_HOUR, hours.start, hours.stop))
    return (hour for hour in held if hour // DAY_HOURS * DAY_HOURS not in days)


def _clipped(hour: int, within: TimeRange) -> TimeRange:
    return TimeRange(max(hour * HOUR_NS, within.from_ns), min((hour + 1) * HOUR_NS, within.to_ns))


class _Found:
    """Adds up what is found."""

    def __init__(self, hours: range, wanted: Wanted | Chosen) -> None:
        self._hours = hours
        self._wanted = wanted
        self._everything = self._nothing()
        self._functions: defaultdict[FunctionKey, Costs] = defaultdict(self._another)

    def _nothing(self) -> Costs:
        return np.zeros((COSTS, len(self._hours)), np.int64)

    def _another(self) -> Costs:
        most = max(MOST_CELLS // len(self._hours), 1)
        if len(self._functions) >= most:
            raise UsageError(
                f"more than {most} {self._wanted} in this range: "
                "choose a file or binary, or a shorter range"
            )
        return self._nothing()

    def add(self, hour: int, key: FunctionKey | None, costs: Costs | list[int]) -> None:
        at = hour - self._hours.start
        (self._everything if key is None else self._functions[key])[:, at] += costs

    def add_days(self, transaction: sa.Connection, group: Group, days: frozenset[int]) -> None:
        if not days:
            return
        span = range(min(days), max(days) + 1)
        for row in history.read(
            transaction, group.profile_type, group.scope_ids, span, self._wanted.names
        ):
            if row.hour in days and (row.key is None or self._wanted.means(row.key)):
                sums = self._everything if row.key is None else self._functions[row.key]
                at = row.hour - self._hours.start
                sums[:, at : at + DAY_HOURS] += row.costs

    def history(self) -> History:
        def rank(item: tuple[FunctionKey, Costs]) -> tuple[int, FunctionKey]:
            return -int(item[1][3].sum()), item[0]

        held = ((key, costs) for key, costs in self._functions.items() if costs.any())
        return History(self._hours, self._everything, dict(sorted(held, key=rank)))


class Standing:
    """Where the functions that are wanted stand in each log."""

    def __init__(
        self, transaction: sa.Connection, trees: FunctionTrees, wanted: Wanted | Chosen
    ) -> None:
        self._transaction = transaction
        self._trees = trees
        self._wanted = wanted
        self._known: dict[Log, _Labels] = {}

    def costs(self, part: Part) -> Iterator[tuple[FunctionKey, Costs]]:
        log = part.scope_id, part.epoch
        if log not in self._known:
            self._known[log] = self._labels(log)
        labels = self._known[log]
        if labels.keys:
            yield from zip(labels.keys, labels.costs(part).T, strict=True)

    def _labels(self, log: Log) -> "_Labels":
        found = self._trees.of(self._transaction, [log])
        (tree,) = found.trees
        used = np.zeros(len(found.ranks) + 1, bool)
        used[tree.shape.functions] = True
        numbers = [
            number
            for number in np.flatnonzero(used[:-1]).tolist()
            if self._wanted.means(found.keys[number])
        ]
        return _Labels.of(tree, numbers, [found.keys[number] for number in numbers])


@dataclass(frozen=True, slots=True, eq=False)
class _Labels:
    """By node of a log: which of the functions it is, and below which of them it stands, itself
    included; several columns where they call one another. A label beyond the last: none."""

    keys: list[FunctionKey]
    alone: NDArray[np.int32]
    below: list[NDArray[np.int32]]

    @classmethod
    def of(cls, tree: FunctionTree, numbers: list[int], keys: list[FunctionKey]) -> "_Labels":
        shape, none = tree.shape, len(numbers)
        label = np.full(int(shape.functions.max(initial=0)) + 2, none, np.int32)
        label[numbers] = np.arange(none)
        alone = label[shape.functions]
        starts = np.sort(shape.outermost[alone[shape.outermost] < none])
        edges = np.zeros(len(shape) + 1, np.int64)
        edges[starts] = 1
        np.subtract.at(edges, shape.end[starts], 1)
        level = np.cumsum(edges)[starts]
        below = []
        for one in range(1, int(level.max(initial=0)) + 1):
            chosen = starts[level == one]
            marks = np.zeros(len(shape) + 1, np.int32)
            marks[chosen] = alone[chosen] - none
            np.subtract.at(marks, shape.end[chosen], alone[chosen] - none)
            below.append((none + np.cumsum(marks[:-1], dtype=np.int32))[tree.place_of])
        return cls(keys, alone[tree.place_of], below)

    def costs(self, part: Part) -> Costs:
        """By cost and function."""
        entries = part.entries
        if len(entries.nodes) and entries.nodes[-1] >= len(self.alone):
            raise DamagedError(
                f"epoch {part.epoch} of scope {part.scope_id} has samples beyond its log, "
                f"which ends at node {len(self.alone) - 1}"
            )
        sums = np.zeros((COSTS, len(self.keys) + 1), np.int64)
        for cost, labels in [(0, self.alone), *((1, column) for column in self.below)]:
            at = labels[entries.nodes]
            np.add.at(sums[cost], at, entries.samples)
            if len(entries.values):
                np.add.at(sums[cost + 2], at, entries.values)
        if not len(entries.values):
            sums[2:] = sums[:2] * part.period
        return sums[:, :-1]
