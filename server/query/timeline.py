"""Sums by time, from the totals beside the samples: no stack is looked at."""

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from server.query.selection import Selection
from server.store import samples
from server.store.hours import TimeRange
from server.store.totals import Bucket, Window


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
    """A profile is spread evenly over its window; what it has beyond the range counts in the last
    bucket, so that the sum over the buckets is that over the profiles. Equal windows are spread as
    one: a batch may have 65,536 series, a range 11,000 buckets."""
    times = buckets(selection.within, step_ns)
    counts, values = [0] * len(times), [0] * len(times)

    def add(part: Bucket) -> None:
        counts[part.number] += part.samples
        values[part.number] += part.value

    windows: dict[tuple[int, int], Window] = {}
    for found in samples.timeline(
        transaction,
        selection.groups,
        selection.kept,
        selection.horizon.minute,
        times.start,
        step_ns,
    ):
        if isinstance(found, Bucket):
            add(found)
        else:
            key = found.t0_ns, found.duration_ns
            windows[key] = found + windows.get(key, Window(*key, 0, 0))
    for window in windows.values():
        for part in spread(window, times):
            add(part)
    return Timeline(step_ns, list(times), counts, values)


def spread(window: Window, times: range) -> Iterator[Bucket]:
    """The parts of a window, whole numbers that add up to it."""
    number = (window.t0_ns - times.start) // times.step
    done = Bucket(number, 0, 0)
    while number < len(times) - 1 and times[number + 1] < window.t0_ns + window.duration_ns:
        elapsed_ns = times[number + 1] - window.t0_ns
        counted = window.samples * elapsed_ns // window.duration_ns
        value = window.value * elapsed_ns // window.duration_ns
        yield Bucket(number, counted - done.samples, value - done.value)
        done = Bucket(number, counted, value)
        number += 1
    yield Bucket(number, window.samples - done.samples, window.value - done.value)
