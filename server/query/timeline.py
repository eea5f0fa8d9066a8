"""Sums by time, from the totals beside the samples: no stack is looked at."""

from dataclasses import dataclass

import sqlalchemy as sa

from server.query.selection import Selection
from server.store import samples
from server.store.catalog import TimeRange


@dataclass(frozen=True, slots=True)
class Timeline:
    """One entry a bucket, each [time, time + step); the first holds the start of the range."""

    step_ns: int
    times_ns: list[int]
    samples: list[int]
    values: list[int]


def buckets(within: TimeRange, step_ns: int) -> range:
    """The starts of the buckets that the range touches, aligned to the step."""
    origin = within.from_ns - within.from_ns % step_ns
    return range(origin, within.to_ns, step_ns)


def timeline(transaction: sa.Connection, selection: Selection, step_ns: int) -> Timeline:
    """A profile counts in the bucket of its start."""
    times = buckets(selection.within, step_ns)
    counts, values = [0] * len(times), [0] * len(times)
    for bucket in samples.timeline(
        transaction, selection.series, selection.within, times.start, step_ns
    ):
        counts[bucket.number] += bucket.samples
        values[bucket.number] += bucket.value
    return Timeline(step_ns, list(times), counts, values)
