"""What each function cost in each hour of a day, of all series of a scope and profile type.

Sums of a day, made with its rollups and out of date with them. A row is a *bucket* of about 64
functions: those whose names, hashed, begin with the same bits; as many bits as the day's number of
functions asks for. The number of a bucket is a one and its bits, so that the row that may hold a
name is one of a dozen. Bucket 0 holds the sums of everything.

Functions stand with their names, so that no log is needed to read a row.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from profiler.analysis.grouping import FunctionKey
from profiler.model import Kind
from server.store.blob import Columns, pack, planes, unpacked
from server.store.hours import DAY_HOURS
from server.store.schema import function_history
from server.store.stale import Mark

COSTS = 4
"""Self and total samples, self and total value."""

EVERYTHING = 0
"""The bucket of the sums of everything, which is a function without a name."""

_BUCKET = 64
_MOST_BITS = 12
_HASH_BITS = 32

Costs = NDArray[np.int64]
"""By cost and hour of the day."""


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """The costs of all functions, (COSTS, functions, hours), and of everything, (COSTS, hours)."""

    keys: Sequence[FunctionKey]
    costs: NDArray[np.int64]
    everything: Costs


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """What a function cost in a day, or (`key` is None) everything."""

    scope_id: int
    hour: int
    key: FunctionKey | None
    costs: Costs


def write(transaction: sa.Connection, mark: Mark, day: Day) -> None:
    """In the place of what was there, for whoever has seen that the day's mark holds."""
    table = function_history
    transaction.execute(table.delete().where(*_of(mark)))
    bits = min((len(day.keys) // _BUCKET).bit_length(), _MOST_BITS)
    numbers = [_bucket(name, bits) for name, *_ in day.keys]
    order = sorted(range(len(day.keys)), key=lambda i: (numbers[i], day.keys[i]))
    rows = [(EVERYTHING, 1, pack(day.everything.astype("<i8")))]
    for number, members in groupby(order, key=numbers.__getitem__):
        chosen = list(members)
        costs = encode([day.keys[i] for i in chosen], day.costs[:, chosen])
        rows.append((number, len(chosen), costs))
    transaction.execute(
        table.insert(),
        [
            {
                "scope_id": mark.scope_id,
                "profile_type": mark.profile_type,
                "bucket": number,
                "hour": mark.hour,
                "n": n,
                "costs": costs,
            }
            for number, n, costs in rows
        ],
    )


def read(
    transaction: sa.Connection,
    profile_type: str,
    scope_ids: Sequence[int],
    days: range,
    functions: Collection[str],
) -> Iterator[Row]:
    """The functions of some names, and everything, in the days that begin in a range of hours."""
    table = function_history
    buckets = {_bucket(name, bits) for name in functions for bits in range(_MOST_BITS + 1)}
    wanted = sa.select(table.c.scope_id, table.c.bucket, table.c.hour, table.c.costs).where(
        table.c.scope_id.in_(scope_ids),
        table.c.profile_type == profile_type,
        table.c.bucket.in_([EVERYTHING, *sorted(buckets)]),
        table.c.hour >= days.start,
        table.c.hour < days.stop,
    )
    for scope_id, bucket, hour, blob in transaction.execute(wanted):
        if bucket == EVERYTHING:
            yield Row(scope_id, hour, None, _everything(blob))
        else:
            for key, costs in decode(blob, functions):
                yield Row(scope_id, hour, key, costs)


def encode(keys: Sequence[FunctionKey], costs: NDArray[np.int64]) -> bytes:
    """Values that are the samples times one number are not written."""
    period = _period(costs)
    strings: dict[str, int] = {}
    functions, files, binaries, kinds = zip(*keys, strict=True)
    texts = [
        np.array([strings.setdefault(text, len(strings)) for text in column], "<u4")
        for column in (functions, files, binaries)
    ]
    text = np.frombuffer(json.dumps(list(strings)).encode(), "u1")
    columns = [planes(column.ravel()) for column in (costs[:2] if period else costs)]
    return pack(
        np.array([len(keys), len(text), len(columns)], "<u4"),
        np.array([period], "<i8"),
        np.array([len(column) for column in columns], "u1"),
        text,
        *texts,
        np.array(kinds, "u1"),
        *columns,
    )


def decode(blob: bytes, functions: Collection[str]) -> Iterator[tuple[FunctionKey, Costs]]:
    """The functions of some names."""
    with unpacked(blob) as columns:
        n, n_text, n_columns = columns.take(3, "<u4").tolist()
        (period,) = columns.take(1, "<i8").tolist()
        widths = columns.take(n_columns, "u1").tolist()
        strings: list[str] = json.loads(columns.take(n_text, "u1").tobytes())
        names, files, binaries = columns.take(3 * n, "<u4").reshape(3, n)
        kinds = columns.take(n, "u1")
        wanted = [number for number, text in enumerate(strings) if text in functions]
        rows = np.flatnonzero(np.isin(names, wanted))
        costs = np.array([_chosen(columns, n, width, rows) for width in widths])
        keys = [
            (strings[name], strings[file], strings[binary], Kind(kind))
            for name, file, binary, kind in zip(
                *(column[rows].tolist() for column in (names, files, binaries, kinds)), strict=True
            )
        ]
    if period:
        costs = np.concatenate([costs, costs * period])
    for place, key in enumerate(keys):
        yield key, costs[:, place]


def _everything(blob: bytes) -> Costs:
    with unpacked(blob) as columns:
        return columns.take(COSTS * DAY_HOURS, "<i8").astype(np.int64).reshape(COSTS, DAY_HOURS)


def _chosen(columns: Columns, n: int, width: int, rows: NDArray[np.intp]) -> NDArray[np.int64]:
    """Some rows of a matrix of hours that is written as `width` byte planes."""
    planes = columns.take(n * DAY_HOURS * width, "u1").reshape(width, n, DAY_HOURS)[:, rows]
    places = 8 * np.arange(width).reshape(-1, 1, 1)
    chosen: NDArray[np.int64] = (planes.astype(np.int64) << places).sum(axis=0)
    return chosen


def _period(costs: NDArray[np.int64]) -> int:
    """The value of every sample, 0 where it varies or there are none."""
    samples, values = costs[:2], costs[2:]
    first = np.flatnonzero(samples)[:1]
    if not len(first):
        return 0
    period = int(values.ravel()[first[0]] // samples.ravel()[first[0]])
    return period if period > 0 and (values == samples * period).all() else 0


def _bucket(name: str, bits: int) -> int:
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=_HASH_BITS // 8).digest()
    return 1 << bits | int.from_bytes(digest, "big") >> (_HASH_BITS - bits)


def _of(mark: Mark) -> Iterable[sa.ColumnElement[bool]]:
    table = function_history
    return (
        table.c.scope_id == mark.scope_id,
        table.c.profile_type == mark.profile_type,
        table.c.hour == mark.hour,
    )
