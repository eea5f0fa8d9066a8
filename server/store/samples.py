"""What was measured: one row a series and batch, its sums beside the blob of its entries."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from profiler.errors import FormatError
from server.store.catalog import Series, TimeRange
from server.store.codec import Entries, decode_entries, encode_entries
from server.store.schema import hot

_SERIES_A_STATEMENT = 1000
"""SQLite takes 32,766 parameters a statement, and a thousand keys are planned in no time."""

_ROWS_A_FETCH = 1000


@dataclass(frozen=True, slots=True)
class Row:
    """The samples of a series in one batch; its entries are nodes of an epoch of its scope."""

    scope_id: int
    series_id: int
    t0_ns: int
    epoch: int
    duration_ns: int
    period: int
    entries: Entries

    @property
    def samples(self) -> int:
        return int(self.entries.samples.sum())

    @property
    def value(self) -> int:
        implied = not len(self.entries.values)
        return self.samples * self.period if implied else int(self.entries.values.sum())


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the rows of one series."""

    profiles: int = 0
    samples: int = 0
    value: int = 0


@dataclass(frozen=True, slots=True)
class Bucket:
    """Sums over the rows whose window lies in the `number`-th step from the origin."""

    number: int
    samples: int
    value: int


@dataclass(frozen=True, slots=True)
class Window:
    """Sums over the rows of one window that reaches beyond the step in which it begins."""

    t0_ns: int
    duration_ns: int
    samples: int
    value: int

    def __add__(self, other: "Window") -> "Window":
        """The sums over two parts of the rows of one window."""
        return replace(self, samples=self.samples + other.samples, value=self.value + other.value)


def add(transaction: sa.Connection, uid: int, rows: Iterable[Row]) -> None:
    """Adds the rows of the batch `uid`; FormatError where another batch has used its name."""
    columns = [
        {
            "scope_id": row.scope_id,
            "series_id": row.series_id,
            "t0_ns": row.t0_ns,
            "uid": uid,
            "epoch": row.epoch,
            "duration_ns": row.duration_ns,
            "period": row.period,
            "samples": row.samples,
            "value": row.value,
            "n": len(row.entries.nodes),
            "blob": encode_entries(row.entries),
        }
        for row in rows
    ]
    try:
        if columns:
            transaction.execute(hot.insert(), columns)
    except IntegrityError:
        raise FormatError(
            "sequence: a batch of this collector and number is stored, with other accounts"
        ) from None


def read(
    transaction: sa.Connection, selected: Sequence[Series], within: TimeRange
) -> Generator[Row]:
    """The rows of the series that begin in the range, scope by scope.

    Holds a cursor: close it where it is not read to its end.
    """
    wanted = sa.select(
        hot.c.scope_id,
        hot.c.series_id,
        hot.c.t0_ns,
        hot.c.epoch,
        hot.c.duration_ns,
        hot.c.period,
        hot.c.blob,
    ).execution_options(yield_per=_ROWS_A_FETCH)
    for chosen in _chosen(selected, within):
        with transaction.execute(wanted.where(*chosen)) as rows:
            for scope_id, series_id, t0_ns, epoch, duration_ns, period, blob in rows:
                entries = decode_entries(blob)
                yield Row(scope_id, series_id, t0_ns, epoch, duration_ns, period, entries)


def totals(
    transaction: sa.Connection, selected: Sequence[Series], within: TimeRange
) -> dict[tuple[int, int], Totals]:
    """By (scope_id, series_id), of those that have rows."""
    key = (hot.c.scope_id, hot.c.series_id)
    wanted = sa.select(
        *key, sa.func.count(), sa.func.sum(hot.c.samples), sa.func.sum(hot.c.value)
    ).group_by(*key)
    return {
        (scope_id, series_id): Totals(profiles, int(samples), int(value))
        for chosen in _chosen(selected, within)
        for scope_id, series_id, profiles, samples, value in transaction.execute(
            wanted.where(*chosen)
        )
    }


def timeline(
    transaction: sa.Connection,
    selected: Sequence[Series],
    within: TimeRange,
    origin_ns: int,
    step_ns: int,
) -> Iterator[Bucket | Window]:
    """In no order: sums of the rows whose window lies in one bucket, and of those of each other
    window. A window may come more than once."""
    number = ((hot.c.t0_ns - origin_ns) // step_ns).label("number")
    last_ns = hot.c.t0_ns + sa.case((hot.c.duration_ns > 0, hot.c.duration_ns - 1), else_=0)
    inside = (last_ns - origin_ns) // step_ns == number
    sums = sa.select(number, sa.func.sum(hot.c.samples), sa.func.sum(hot.c.value))
    window = (hot.c.t0_ns, hot.c.duration_ns)
    windows = sa.select(*window, sa.func.sum(hot.c.samples), sa.func.sum(hot.c.value))
    for chosen in _chosen(selected, within):
        for bucket, samples, value in transaction.execute(
            sums.where(*chosen, inside).group_by(number)
        ):
            yield Bucket(int(bucket), int(samples), int(value))
        for t0_ns, duration_ns, samples, value in transaction.execute(
            windows.where(*chosen, ~inside).group_by(*window)
        ):
            yield Window(t0_ns, duration_ns, int(samples), int(value))


def _chosen(
    selected: Sequence[Series], within: TimeRange
) -> Iterator[tuple[sa.ColumnElement[bool], ...]]:
    """Conditions that together choose the rows; each is a range of the key a series."""
    scopes: dict[int, list[int]] = {}
    for one in selected:
        scopes.setdefault(one.scope_id, []).append(one.series_id)
    for scope_id, numbers in scopes.items():
        for start in range(0, len(numbers), _SERIES_A_STATEMENT):
            yield (
                hot.c.scope_id == scope_id,
                hot.c.series_id.in_(numbers[start : start + _SERIES_A_STATEMENT]),
                hot.c.t0_ns >= within.from_ns,
                hot.c.t0_ns < within.to_ns,
            )
