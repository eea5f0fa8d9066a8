"""One function of a selection: what it costs, at which lines, for which values of a label, when.

A stack counts once, from where the function stands in it first: so the totals of its lines add up
to the function's, as those of labels and times do.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from profiler.analysis.tree import levels
from server.query.history import Chosen, Wanted
from server.query.selection import Selection
from server.store import archive, hot
from server.store.codec import Entries
from server.store.function_tree import FunctionTrees
from server.store.group import Group
from server.store.history import COSTS, Costs
from server.store.sums import Log, Sums, add_up
from server.store.symbols import SymbolReader

Line = tuple[str, int]
"""File and line; 0: not known."""


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """By node of a log: which line of the function it is, and below which of them it stands, itself
    included; beyond the last: none."""

    alone: NDArray[np.int32]
    below: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Function:
    """Where a function stands in the logs of a selection."""

    lines: list[Line] = field(default_factory=list)
    logs: dict[Log, Standing] = field(default_factory=dict)

    def costs(self, sums: Sums) -> Costs:
        """By cost and line."""
        added = np.zeros((COSTS, len(self.lines) + 1), np.int64)
        for log, columns in sums.columns.items():
            standing = self.logs[log]
            samples, values = columns.of(log, len(standing.alone))
            for cost, at in enumerate((standing.alone, standing.below)):
                np.add.at(added[cost], at, samples)
                np.add.at(added[cost + 2], at, values)
        return added[:, :-1]

    def add_entries(
        self,
        added: NDArray[np.int64],
        log: Log,
        entries: Entries,
        period: int,
        at: NDArray[np.intp],
    ) -> None:
        """Adds entries to columns by cost and bucket; `at` is the bucket of each."""
        values = entries.values if len(entries.values) else entries.samples * period
        for cost, column in enumerate((self.logs[log].alone, self.logs[log].below)):
            mine = column[entries.nodes] < len(self.lines)
            np.add.at(added[cost], at[mine], entries.samples[mine])
            np.add.at(added[cost + 2], at[mine], values[mine])


def find(
    transaction: sa.Connection,
    symbols: SymbolReader,
    trees: FunctionTrees,
    wanted: Wanted | Chosen,
    logs: Sequence[Log],
) -> Function:
    found = trees.of(transaction, logs)
    numbers = [
        number
        for number in _used([tree.functions for tree in found.trees])
        if wanted.means(found.keys[number])
    ]
    number_of: dict[Line, int] = {}
    own: dict[Log, tuple[NDArray[np.int32], NDArray[np.int32]]] = {}
    for log, tree in zip(logs, found.trees, strict=True):
        symbol_tree = symbols.tree(transaction, *log)
        size = len(tree.node_of)
        line_of = np.full(len(symbol_tree.frames) + 1, -1, np.int32)
        for frame in np.flatnonzero(np.isin(tree.function_of, numbers)).tolist():
            line = symbol_tree.frames[frame].file, symbol_tree.frames[frame].line
            line_of[frame] = number_of.setdefault(line, len(number_of))
        own[log] = symbol_tree.parents[:size], line_of[symbol_tree.node_frames[:size]]
    made = Function(list(number_of))
    for log, (parents, alone) in own.items():
        below = alone.copy()
        for row in levels(parents)[1:]:
            above = below[parents[row]]
            below[row] = np.where(above >= 0, above, below[row])
        none = len(number_of)
        made.logs[log] = Standing(
            *(np.where(column < 0, none, column) for column in (alone, below))
        )
    return made


def _used(functions: Sequence[NDArray[np.int32]]) -> list[int]:
    numbers: list[int] = np.unique(np.concatenate([np.zeros(0, np.int32), *functions])).tolist()
    return [number for number in numbers if number >= 0]


def by_label(
    transaction: sa.Connection, selection: Selection, name: str, values: Sequence[str]
) -> Iterator[tuple[str, Sums]]:
    """The samples with each of some values of a label, "" for series without it."""
    type = selection.selector.profile_type
    whole = {scope_id for group in selection.groups if group.whole for scope_id in group.scope_ids}
    series: defaultdict[str, defaultdict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    values_of: defaultdict[int, set[str]] = defaultdict(set)
    for one in selection.series:
        value = one.labels.get(name, "")
        series[value][one.scope_id].append(one.series_id)
        values_of[one.scope_id].add(value)
    for value in values:
        groups = [
            # A service with one value is summed up already.
            Group(type, (scope_id,))
            if scope_id in whole and len(values_of[scope_id]) == 1
            else Group(type, (scope_id,), tuple(numbers))
            for scope_id, numbers in series[value].items()
        ]
        yield value, add_up(transaction, groups, selection.kept)


def trend(
    transaction: sa.Connection, selection: Selection, function: Function, times: range
) -> Mapping[str, Costs]:
    """Costs of the function and of everything by bucket, in which a profile counts where it begins.
    What is older than profiles are kept is not in them."""
    mine = np.zeros((COSTS, len(times)), np.int64)
    everything = np.zeros((COSTS, len(times)), np.int64)
    within = selection.kept

    def add(log: Log, entries: Entries, period: int, at: NDArray[np.intp]) -> None:
        if log in function.logs:
            function.add_entries(mine, log, entries, period, at)
        values = entries.values if len(entries.values) else entries.samples * period
        np.add.at(everything[1], at, entries.samples)
        np.add.at(everything[3], at, values)

    for group in selection.groups:
        with closing(archive.read(transaction, group, within.hours)) as chunks:
            for stored in chunks:
                chunk, key = stored.chunk(), stored.key
                inside = np.zeros(len(chunk.times.t0_ns), bool)
                inside[chunk.times.between(within.from_ns, within.to_ns)] = True
                bucket = (chunk.times.t0_ns - times.start) // times.step
                chosen = np.repeat(inside, chunk.times.lengths)
                at = np.repeat(bucket, chunk.times.lengths)[chosen]
                add((key.scope_id, key.epoch), _only(chunk.entries, chosen), key.period, at)
        with closing(hot.read(transaction, group, within)) as rows:
            for row in rows:
                at = np.full(len(row.entries.nodes), (row.t0_ns - times.start) // times.step)
                add((row.scope_id, row.epoch), row.entries, row.period, at)
    return {"function": mine, "everything": everything}


def _only(entries: Entries, chosen: NDArray[np.bool_]) -> Entries:
    columns = (entries.nodes, entries.samples, entries.values)
    return Entries(*(column[chosen] if len(column) else column for column in columns))
