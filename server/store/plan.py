"""Which rows answer a range: the widest rollups that are up to date, and chunks where it cuts.

>>> plan(TimeRange(HOUR_NS, 50 * HOUR_NS + 1), whole=True, stale=Stale(hours={4}))
... # doctest: +SKIP
Plan(runs=[ALL_HOUR 1-4, SERIES_HOUR 4-5, ALL_HOUR 5-24, ALL_DAY 24-48, ALL_HOUR 48-50], cut=[50])
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum

from server.store.hours import DAY_HOURS, HOUR_NS, TimeRange


class Level(IntEnum):
    """What a rollup sums up. The numbers are those of the store; none is ever reused."""

    SERIES_HOUR = 1
    SERIES_DAY = 2
    ALL_HOUR = 3
    ALL_DAY = 4

    @property
    def hours(self) -> int:
        return DAY_HOURS if self in (Level.SERIES_DAY, Level.ALL_DAY) else 1

    @property
    def whole(self) -> bool:
        """Of all series of a scope and type together."""
        return self in (Level.ALL_HOUR, Level.ALL_DAY)


@dataclass(frozen=True, slots=True)
class Stale:
    """The first hours of what is out of date. Rollups of a series' hour never are."""

    hours: frozenset[int] = field(default_factory=frozenset)
    days: frozenset[int] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Run:
    """The rollups of a level from one hour to, without, another."""

    level: Level
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Rollups, and the hours whose profiles are to be looked at one by one."""

    runs: tuple[Run, ...]
    cut: tuple[int, ...]


def plan(within: TimeRange, stale: Stale, *, whole: bool) -> Plan:
    """For all series of a scope and type, or (not `whole`) for some."""
    first, end = -(-within.from_ns // HOUR_NS), within.to_ns // HOUR_NS
    edges = {edge // HOUR_NS for edge in (within.from_ns, within.to_ns) if edge % HOUR_NS}
    return Plan(tuple(_days(first, end, stale, whole)), tuple(sorted(edges)))


def _days(first: int, end: int, stale: Stale, whole: bool) -> Iterator[Run]:
    level = Level.ALL_DAY if whole else Level.SERIES_DAY
    first_day, end_day = -(-first // DAY_HOURS) * DAY_HOURS, end // DAY_HOURS * DAY_HOURS
    if first_day >= end_day:
        yield from _hours(first, end, stale, whole)
        return
    yield from _hours(first, first_day, stale, whole)
    for start, stop, fresh in _split(first_day, end_day, stale.days, DAY_HOURS):
        if fresh:
            yield Run(level, start, stop)
        else:
            yield from _hours(start, stop, stale, whole)
    yield from _hours(end_day, end, stale, whole)


def _hours(first: int, end: int, stale: Stale, whole: bool) -> Iterator[Run]:
    if not whole and first < end:
        yield Run(Level.SERIES_HOUR, first, end)
    elif whole:
        for start, stop, fresh in _split(first, end, stale.hours, 1):
            yield Run(Level.ALL_HOUR if fresh else Level.SERIES_HOUR, start, stop)


def _split(
    first: int, end: int, holes: Iterable[int], width: int
) -> Iterator[tuple[int, int, bool]]:
    """[first, end) as (start, stop, whether it is no hole), holes of equal width."""
    for hole in sorted(hole for hole in holes if first <= hole < end):
        if first < hole:
            yield first, hole, True
        yield hole, hole + width, False
        first = hole + width
    if first < end:
        yield first, end, True
