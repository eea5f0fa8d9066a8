"""What the series of a scope and profile type counted in each minute of an hour.

Sums made of the chunks of the hour when its rollup is, and out of date with it, so that a timeline
of a fleet and a day need not look at every profile. A profile is spread over the minutes of its
window; one that reaches beyond the hour stands as it is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from server.store import archive, rollup
from server.store.blob import pack, planes, unpacked
from server.store.chunk import Times
from server.store.database import upsert
from server.store.group import Group
from server.store.hours import HOUR_NS
from server.store.plan import Level, Run
from server.store.rollup import Key
from server.store.schema import minutes
from server.store.spread import Column, Spread, Windows, joined
from server.store.stale import Mark

MINUTE_NS = HOUR_NS // 60

_MINUTES = 60

MOST_SERIES = 20_000
"""In a row: 40 MB while it is read. An hour without a row is read profile by profile."""

_AT_ONCE = 64
"""Chunks, some 20,000 profiles."""

_LARGE = 1 << 54
"""256 of it have 64 bits."""


_NONE = Windows(0, *(np.zeros(0, np.int64) for _ in range(5)))


@dataclass(frozen=True, slots=True, eq=False)
class Minutes:
    """`sums` as in `Spread`, a line an entry of `series_ids`; `beyond` is not in them."""

    scope_id: int
    hour: int
    series_ids: Column
    sums: NDArray[np.int64]
    beyond: Windows


def made(transaction: sa.Connection, mark: Mark) -> Minutes | None:
    """Of the chunks as they are; None where there are too many series."""
    hour, scope = mark.hour, Group(mark.profile_type, (mark.scope_id,))
    hours = range(hour, hour + 1)
    numbers = rollup.series(transaction, scope, Run(Level.SERIES_HOUR, hour, hour + 1))
    if len(numbers) > MOST_SERIES:
        return None
    series_ids = np.array(numbers, np.int64)
    spread = Spread(len(numbers), range(hour * HOUR_NS, (hour + 1) * HOUR_NS, MINUTE_NS))
    beyond = [_NONE]
    chunks = archive.times(transaction, scope, hours)
    while some := list(islice(chunks, _AT_ONCE)):
        windows = joined([windows_of(key, times) for key, times in some])
        inside = windows.t0_ns + windows.duration_ns <= (hour + 1) * HOUR_NS
        kept = windows.only(inside)
        spread.add(np.searchsorted(series_ids, kept.series_ids), kept)
        beyond.append(windows.only(~inside))
    return Minutes(mark.scope_id, hour, series_ids, spread.sums, joined(beyond))


def windows_of(key: Key, times: Times) -> Windows:
    """The profiles of a chunk."""
    return Windows(
        key.scope_id,
        np.full(len(times.t0_ns), key.series_id, np.int64),
        times.t0_ns,
        times.duration_ns,
        times.samples,
        times.values if len(times.values) else times.samples * key.period,
    )


def write(transaction: sa.Connection, mark: Mark, found: Minutes | None) -> None:
    """In the place of what was there, for whoever has seen that the hour's mark holds."""
    key = {"scope_id": mark.scope_id, "profile_type": mark.profile_type, "hour": mark.hour}
    if found is None:
        mine = [minutes.c[name] == value for name, value in key.items()]
        transaction.execute(minutes.delete().where(*mine))
    else:
        upsert(transaction, minutes, **key, sums=encode(found))


def read(
    transaction: sa.Connection, profile_type: str, scope_ids: Sequence[int], hours: range
) -> Iterator[Minutes]:
    wanted = sa.select(minutes.c.scope_id, minutes.c.hour, minutes.c.sums).where(
        minutes.c.scope_id.in_(scope_ids),
        minutes.c.profile_type == profile_type,
        minutes.c.hour >= hours.start,
        minutes.c.hour < hours.stop,
    )
    for scope_id, hour, blob in transaction.execute(wanted):
        yield decode(blob, scope_id, hour)


def encode(found: Minutes) -> bytes:
    """Values that are the samples times one number are not written."""
    beyond, sums = found.beyond, found.sums.reshape(4, -1)
    period = _period(found.sums)
    columns = [
        planes(column)
        for column in (
            np.diff(found.series_ids, prepend=0),
            *(sums[::2] if period else sums),
            *(beyond.series_ids, beyond.t0_ns - found.hour * HOUR_NS, beyond.duration_ns),
            *(beyond.samples, beyond.values),
        )
    ]
    return pack(
        np.array([len(found.series_ids), len(beyond.t0_ns), len(columns)], "<u4"),
        np.array([period], "<i8"),
        np.array([len(column) for column in columns], "u1"),
        *columns,
    )


def decode(blob: bytes, scope_id: int, hour: int) -> Minutes:
    with unpacked(blob) as columns:
        n, n_beyond, n_columns = columns.take(3, "<u4").tolist()
        (period,) = columns.take(1, "<i8").tolist()
        widths = iter(columns.take(n_columns, "u1").tolist())

        def several(count: int, length: int) -> list[Column]:
            return [columns.planes(length, next(widths)) for _ in range(count)]

        (distances,) = several(1, n)
        sums = several(2 if period else 4, n * _MINUTES)
        series_ids, t0, duration, samples, values = several(5, n_beyond)
    if period:
        parts = (sums[0] * 256 + sums[1]) * period
        sums = [sums[0], parts >> 8, sums[1], parts & 255]
    return Minutes(
        scope_id,
        hour,
        np.cumsum(distances),
        np.stack(sums).reshape(2, 2, n, _MINUTES),
        Windows(scope_id, series_ids, hour * HOUR_NS + t0, duration, samples, values),
    )


def _period(sums: NDArray[np.int64]) -> int:
    """The value of every sample, 0 where it varies or the sums are too large to tell."""
    if not sums.size or sums.max() >= _LARGE:
        return 0
    samples, values = sums[0] * 256 + sums[1]
    first = np.flatnonzero(samples)[:1]
    period = int(values.flat[first[0]] // samples.flat[first[0]]) if len(first) else 0
    return period if period > 0 and (values == samples * period).all() else 0
