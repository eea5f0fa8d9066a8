"""Sums by time, from the totals beside the samples: no stack is looked at."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from server.query.selection import Selection
from server.store import samples
from server.store.hours import HOUR_NS, TimeRange
from server.store.minutes import MINUTE_NS, Minutes
from server.store.spread import Spread, Windows

SeriesKey = tuple[int, int]
"""Scope and series."""


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """Columns with an entry a bucket, each [time, time + step); the first holds the start of the
    range. `lines` has samples (0) and values (1) by line and bucket."""

    step_ns: int
    times_ns: list[int]
    samples: NDArray[np.int64]
    values: NDArray[np.int64]
    lines: NDArray[np.int64]


def buckets(within: TimeRange, step_ns: int) -> range:
    """The starts of the buckets that the range touches, aligned to the step."""
    origin = within.from_ns - within.from_ns % step_ns
    return range(origin, within.to_ns, step_ns)


def timeline(
    transaction: sa.Connection,
    selection: Selection,
    step_ns: int,
    lines: Mapping[SeriesKey, int] | None = None,
) -> Timeline:
    """`lines` says for each series which line it is counted in; by default there is one.

    A profile is spread evenly over its window; what it has beyond the range counts in the last
    bucket, so that the sum over the buckets is that over the profiles. Raises UsageError where the
    sums leave 64 bits.
    """
    selection.check_sums()
    times = buckets(selection.within, step_ns)
    lines = lines or {key: 0 for key in selection.totals}
    spread = Spread(max(lines.values(), default=0) + 1, times)
    line_of = _Lines(lines)
    for found in samples.timeline(
        transaction, selection.groups, selection.kept, selection.horizon.minute, times
    ):
        if isinstance(found, Windows):
            _add_windows(spread, line_of, found)
        else:
            _add_minutes(spread, line_of, found, times)
    all_samples, all_values = spread.total()
    return Timeline(step_ns, list(times), all_samples, all_values, spread.numbers())


def _add_windows(spread: Spread, lines: "_Lines", windows: Windows) -> None:
    numbers = lines.of(windows.scope_id, windows.series_ids)
    known = numbers >= 0
    spread.add(numbers[known], windows.only(known))


def _add_minutes(spread: Spread, lines: "_Lines", minutes: Minutes, times: range) -> None:
    numbers = lines.of(minutes.scope_id, minutes.series_ids)
    starts_ns = minutes.hour * HOUR_NS + MINUTE_NS * np.arange(minutes.sums.shape[-1])
    known = numbers >= 0
    at = (starts_ns - times.start) // times.step
    spread.add_sums(numbers[known], at, minutes.sums[:, :, known])
    _add_windows(spread, lines, minutes.beyond)


class _Lines:
    """The line of each series, -1 of those that are not meant."""

    def __init__(self, lines: Mapping[SeriesKey, int]) -> None:
        self._by_scope: dict[int, NDArray[np.intp]] = {}
        longest: dict[int, int] = {}
        for scope_id, series_id in lines:
            longest[scope_id] = max(longest.get(scope_id, 0), series_id)
        for scope_id, length in longest.items():
            self._by_scope[scope_id] = np.full(length + 2, -1, np.intp)
        for (scope_id, series_id), line in lines.items():
            self._by_scope[scope_id][series_id] = line

    def of(self, scope_id: int, series_ids: NDArray[np.int64]) -> NDArray[np.intp]:
        known = self._by_scope.get(scope_id, np.full(1, -1, np.intp))
        return known[np.minimum(series_ids, len(known) - 1)]
