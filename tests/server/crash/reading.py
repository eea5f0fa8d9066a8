"""What a snapshot of the database holds, each level of it read by itself."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import sqlalchemy as sa

from profiler import selector
from profiler.model import Labels
from server.config import TENANT
from server.store import archive, catalog, history, horizon, hot, minutes, rollup, stale
from server.store.blob import DamagedError
from server.store.chunk import sums
from server.store.codec import Entries
from server.store.group import Group
from server.store.horizon import Horizon
from server.store.hours import DAY_HOURS, HOUR_NS, hours_range
from server.store.plan import Level, Run, Stale
from server.store.rollup import Rollup
from server.store.symbols import SymbolReader
from server.store.totals import Totals
from tests.server.crash.ledger import Stacks

TYPE = "cpu"
ROOT = "main"
"""The function that calls all others."""

MINUTE_NS = HOUR_NS // 60
ALL_HOURS = range(1 << 21)

Place = tuple[Labels, int]
"""A series and a time: where a profile begins, in the unit that is kept of that time."""

_Plain = tuple[Totals, tuple[bytes, ...]]


def unit_ns(hour: int, kept: Horizon) -> int:
    return 1 if hour >= kept.raw else MINUTE_NS if hour >= kept.minute else HOUR_NS


def begins_ns(start_ns: int, kept: Horizon) -> int:
    """The beginning of the unit in which a profile is kept."""
    unit = unit_ns(start_ns // HOUR_NS, kept)
    return start_ns // unit * unit


class Paths:
    """The stacks of nodes, by name; remembers what it has read."""

    def __init__(self) -> None:
        self._symbols = SymbolReader()
        self._paths: dict[tuple[int, int], list[tuple[str, ...]]] = {}

    def stacks(
        self, transaction: sa.Connection, scope_id: int, epoch: int, entries: Entries
    ) -> Stacks:
        known = self._paths.setdefault((scope_id, epoch), [()])
        if len(entries.nodes) and int(entries.nodes[-1]) >= len(known):
            tree = self._symbols.tree(transaction, scope_id, epoch)
            new = range(len(known), len(tree.parents))
            for parent, frame in zip(
                tree.parents[new.start :].tolist(),
                tree.node_frames[new.start :].tolist(),
                strict=True,
            ):
                known.append((*known[parent], tree.frames[frame].function))
        if len(entries.nodes) and int(entries.nodes[-1]) >= len(known):
            raise DamagedError(
                f"node {entries.nodes[-1]} of scope {scope_id}, epoch {epoch}: its log has "
                f"{len(known)}"
            )
        return Counter(
            {
                known[node]: samples
                for node, samples in zip(
                    entries.nodes.tolist(), entries.samples.tolist(), strict=True
                )
            }
        )


@dataclass
class Snapshot:
    """`places` are the samples of all profiles, wherever they stand; `mistakes` what is wrong
    without knowing what was sent; `compared` how many sums were compared with what is below."""

    kept: Horizon
    places: dict[Place, Stacks] = field(default_factory=lambda: defaultdict(Counter))
    mistakes: list[str] = field(default_factory=list)
    compared: int = 0


def read(transaction: sa.Connection, paths: Paths) -> Snapshot:
    """All of it, and each sum compared with what it sums up, if a query could use it."""
    found = Snapshot(horizon.read(transaction, TENANT, TYPE))
    labels = {
        (one.scope_id, one.series_id): tuple(sorted(one.labels.items()))
        for one in catalog.select(transaction, TENANT, selector.parse(TYPE))
    }
    groups = [Group(TYPE, (scope_id,)) for scope_id in sorted({scope for scope, _ in labels})]
    for group in groups:
        for scope_id, series_id, epoch, start_ns, entries in _profiles(transaction, group, found):
            place = labels[scope_id, series_id], begins_ns(start_ns, found.kept)
            found.places[place].update(paths.stacks(transaction, scope_id, epoch, entries))
        _compare(transaction, group, found)
    return found


def _profiles(
    transaction: sa.Connection, group: Group, found: Snapshot
) -> Iterator[tuple[int, int, int, int, Entries]]:
    """Each profile of hot rows and chunks, and the sums of hours of which no more is left."""
    kept = found.kept
    for row in hot.read(transaction, group, hours_range(ALL_HOURS)):
        if row.t0_ns < kept.minute * HOUR_NS:
            found.mistakes.append(f"a row of {row.t0_ns} is not compacted and its hour given up")
        yield row.scope_id, row.series_id, row.epoch, row.t0_ns, row.entries
    gone = Run(Level.SERIES_HOUR, kept.hour, kept.minute)
    for one in rollup.read(transaction, group, gone):
        key = one.key
        yield key.scope_id, key.series_id, key.epoch, key.hour * HOUR_NS, one.entries
    present = range(kept.minute, ALL_HOURS.stop)
    above = {one.key: one for one in rollup.read(transaction, group, _run(Level.SERIES_HOUR, kept))}
    for stored in archive.read(transaction, group, present):
        chunk, key = stored.chunk(), stored.key
        made = Rollup(key, chunk.times.totals(key.period), chunk.sums())
        found.compared += 1
        upper = above.pop(key, None)
        if upper is not None and key.hour < kept.raw:  # profiles of a minute may be one by now
            totals = replace(made.totals, profiles=upper.totals.profiles)
            made = replace(made, totals=totals)
        if _plain(upper) != _plain(made):
            found.mistakes.append(f"the chunk and the sums of {key} differ")
        ends = np.cumsum(chunk.times.lengths).tolist()
        for start_ns, first, end in zip(
            chunk.times.t0_ns.tolist(), [0, *ends[:-1]], ends, strict=True
        ):
            part = slice(first, end)
            profile = Entries(chunk.entries.nodes[part], chunk.entries.samples[part], NO_VALUES)
            yield key.scope_id, key.series_id, key.epoch, start_ns, profile
    found.mistakes += [f"sums of {key} and no chunk" for key in above if key.hour >= kept.minute]


NO_VALUES = np.zeros(0, np.int64)


def _run(level: Level, kept: Horizon) -> Run:
    """What a query may use of a level: a day that the last horizon cuts is not read."""
    hours = level.hours
    return Run(level, -(-kept.hour // hours) * hours, ALL_HOURS.stop)


def _compare(transaction: sa.Connection, group: Group, found: Snapshot) -> None:
    """The upper levels with the hours of the series."""
    (scope_id,) = group.scope_ids
    marked = stale.read(transaction, TYPE).get(scope_id, Stale())
    hours = list(rollup.read(transaction, group, _run(Level.SERIES_HOUR, found.kept)))
    found.compared += len(hours)
    found.mistakes += _minutes(transaction, group, found.kept, marked, hours)
    found.mistakes += _history(transaction, group, found.kept, marked, hours)
    for level in (Level.ALL_HOUR, Level.SERIES_DAY, Level.ALL_DAY):
        run = _run(level, found.kept)
        left_out = marked.hours if level is Level.ALL_HOUR else marked.days
        below = rollup.read(transaction, group, Run(Level.SERIES_HOUR, run.first, run.end))
        expected = _added(below, level, left_out)
        present = _added(rollup.read(transaction, group, run), level, left_out)
        found.compared += len(expected)
        found.mistakes += [
            f"{level.name} of scope {scope_id}, hour {key[0]}, series {key[1]}, epoch {key[2]} "
            f"is not the sum of what is below"
            for key in expected.keys() | present.keys()
            if expected.get(key) != present.get(key)
        ]


def _minutes(
    transaction: sa.Connection, group: Group, kept: Horizon, marked: Stale, hours: Sequence[Rollup]
) -> Iterator[str]:
    """The sums by minute, added up, of hours of which chunks are kept."""

    def meant(hour: int) -> bool:
        return hour >= kept.minute and hour not in marked.hours

    expected: Counter[tuple[int, int]] = Counter()
    for row in hours:
        if meant(row.key.hour):
            expected[row.key.hour, row.key.series_id] += row.totals.samples
    present: Counter[tuple[int, int]] = Counter()
    whole = range(kept.minute, ALL_HOURS.stop)
    for one in minutes.read(transaction, TYPE, group.scope_ids, whole):
        samples, parts = one.sums[:, 0].sum(axis=-1)
        if meant(one.hour):
            for series_id, count in zip(one.series_ids, samples + parts // 256, strict=True):
                present[one.hour, int(series_id)] += int(count)
            for series_id, count in zip(one.beyond.series_ids, one.beyond.samples, strict=True):
                present[one.hour, int(series_id)] += int(count)
    for hour, series_id in sorted(place for place in expected | present):
        if expected[hour, series_id] != present[hour, series_id]:
            yield f"the minutes of hour {hour}, series {series_id} are not those of its chunks"


def _history(
    transaction: sa.Connection, group: Group, kept: Horizon, marked: Stale, hours: Sequence[Rollup]
) -> Iterator[str]:
    """What everything, and what the function at the root of all stacks but the marks, cost."""
    days = _run(Level.ALL_DAY, kept)
    expected: Counter[int] = Counter()
    roots: Counter[int] = Counter()
    for row in hours:
        if row.key.hour >= days.first and row.key.hour // DAY_HOURS * DAY_HOURS not in marked.days:
            expected[row.key.hour] += row.totals.samples
            roots[row.key.hour] += row.totals.samples - row.totals.profiles
    present: dict[bool, Counter[int]] = {True: Counter(), False: Counter()}
    for day in history.read(
        transaction, TYPE, group.scope_ids, range(days.first, ALL_HOURS.stop), ROOT
    ):
        if day.hour not in marked.days:
            for place, samples in enumerate(day.costs[1].tolist()):
                present[day.key is None][day.hour + place] += samples
    if present[True] != expected or present[False] != roots:
        yield f"the history of scope {group.scope_ids[0]} is not the sum of its hours"


def _added(
    rows: Iterator[Rollup], level: Level, left_out: frozenset[int]
) -> dict[tuple[int, ...], _Plain | None]:
    """By hour, series, epoch and period, as of a level; without the hours that are out of date."""
    parts: dict[tuple[int, ...], list[Rollup]] = defaultdict(list)
    for row in rows:
        key = row.key
        hour = key.hour // level.hours * level.hours
        series = rollup.ALL if level.whole else key.series_id
        if hour not in left_out:
            parts[hour, series, key.epoch, key.period].append(row)
    return {key: _sum(some) for key, some in parts.items()}


def _sum(rows: Sequence[Rollup]) -> _Plain | None:
    totals = sum((row.totals for row in rows), Totals())
    return _plain(Rollup(rows[0].key, totals, sums(row.entries for row in rows)))


def _plain(row: Rollup | None) -> _Plain | None:
    """Its sums, as they can be compared."""
    if row is None:
        return None
    entries = row.entries
    columns = (entries.nodes, entries.samples, entries.values)
    return row.totals, tuple(column.astype(np.int64).tobytes() for column in columns)
