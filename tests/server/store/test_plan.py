"""A plan covers each hour of its range once, by nothing that is out of date."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.store.hours import HOUR_NS, TimeRange
from server.store.plan import Level, Plan, Run, Stale, plan

edges = st.one_of(
    st.integers(0, 120 * HOUR_NS), st.integers(0, 120).map(lambda hour: hour * HOUR_NS)
)
marked = st.builds(
    lambda hours, days: Stale(frozenset(hours), frozenset(24 * day for day in days)),
    st.sets(st.integers(0, 120)),
    st.sets(st.integers(0, 5)),
)


@given(edges, edges, marked, st.booleans())
def test_every_hour_is_covered_once_and_only_by_what_is_fresh(
    a: int, b: int, stale: Stale, whole: bool
) -> None:
    within = TimeRange(min(a, b), max(a, b) + 1)
    found = plan(within, stale, whole=whole)
    covered = [hour for run in found.runs for hour in range(run.first, run.end)]
    assert sorted([*covered, *found.cut]) == list(within.hours)
    for hour in covered:
        assert within.from_ns <= hour * HOUR_NS and (hour + 1) * HOUR_NS <= within.to_ns
    for run in found.runs:
        hours = range(run.first, run.end, run.level.hours)
        if run.level.hours == 24:
            assert run.first % 24 == run.end % 24 == 0
            assert stale.days.isdisjoint(hours)
        if run.level is Level.ALL_HOUR:
            assert stale.hours.isdisjoint(hours)
        assert whole or not run.level.whole


@pytest.mark.parametrize(
    ("whole", "runs"),
    [
        (False, [Run(Level.SERIES_HOUR, 1, 24), Run(Level.SERIES_DAY, 24, 72)]),
        (
            True,
            [
                Run(Level.ALL_HOUR, 1, 4),
                Run(Level.SERIES_HOUR, 4, 5),
                Run(Level.ALL_HOUR, 5, 24),
                Run(Level.ALL_DAY, 24, 72),
            ],
        ),
    ],
)
def test_the_widest_rollups_are_used(whole: bool, runs: list[Run]) -> None:
    within = TimeRange(HOUR_NS, 72 * HOUR_NS + 5)
    stale = Stale(hours=frozenset([4, 25]))
    assert plan(within, stale, whole=whole) == Plan(tuple(runs), (72,))
