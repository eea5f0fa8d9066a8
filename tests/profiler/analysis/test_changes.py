"""Changes of level are found and none is invented: by simulation, at the rates that are stated."""

from collections.abc import Callable

import numpy as np
import pytest

from profiler.analysis import changes
from profiler.analysis.changes import Change, Vector

DAYS = 90
HISTORIES = 200


def like_the_day_before(random: np.random.Generator, correlation: float) -> Vector:
    noise = random.normal(size=DAYS + 50)
    days = np.zeros(len(noise))
    for day in range(1, len(noise)):
        days[day] = correlation * days[day - 1] + noise[day]
    return days[50:]


def weekly(random: np.random.Generator) -> Vector:
    return random.normal(size=DAYS) + 2 * (np.arange(DAYS) % 7 > 4)


@pytest.mark.parametrize(
    ("name", "at_most"),
    # At one in a hundred, 200 histories have more than 6 with a probability of 0.5 %; those of days
    # that are alike have one in fifty.
    [("independent", 6), ("heavy tails", 6), ("weekly", 6), ("0.3", 10), ("0.5", 10)],
)
def test_a_history_that_does_not_change_has_a_change_once_in_a_hundred(
    name: str, at_most: int
) -> None:
    random = np.random.default_rng(3)
    draws: dict[str, Callable[[], Vector]] = {
        "independent": lambda: random.normal(size=DAYS),
        "heavy tails": lambda: random.standard_t(3, size=DAYS),
        "weekly": lambda: weekly(random),
    }
    draw = draws.get(name, lambda: like_the_day_before(random, float(name)))
    assert sum(bool(changes.changes(draw())) for _ in range(HISTORIES)) <= at_most


@pytest.mark.parametrize(("deviations", "days", "at_least"), [(3, 3, 60), (2, 10, 75), (3, 45, 92)])
def test_a_change_is_found_within_two_days_of_where_it_was(
    deviations: int, days: int, at_least: int
) -> None:
    random, found = np.random.default_rng(4), 0
    for _ in range(100):
        history = random.normal(size=DAYS)
        history[-days:] += deviations
        found += any(abs(one.at - (DAYS - days)) <= 2 for one in changes.changes(history))
    assert found >= at_least


def test_a_level_that_ended_again_is_found_at_both_ends() -> None:
    random, found = np.random.default_rng(6), 0
    for _ in range(50):
        history = random.normal(size=DAYS)
        history[25:53] += 6
        at = [one.at for one in changes.changes(history)]
        found += all(any(abs(cut - end) <= 2 for cut in at) for end in (25, 53))
    assert found >= 35


def test_each_of_several_changes_has_the_levels_beside_it() -> None:
    history = np.concatenate([np.full(20, 5.0), np.full(30, 1.0), np.full(15, 2.0)])
    history += np.random.default_rng(5).normal(0, 0.01, len(history))
    found = changes.changes(history)
    assert [one.at for one in found] == [20, 50]
    levels = [(round(one.before, 1), round(one.after, 1)) for one in found]
    assert levels == [(5.0, 1.0), (1.0, 2.0)]


@pytest.mark.parametrize("history", [[], [1.0], [1.0] * 40, [1.0, 9.0] * 2, [1.0] * 39 + [100.0]])
def test_too_little_and_too_odd_is_no_change(history: list[float]) -> None:
    assert changes.changes(np.array(history)) == []


def test_a_history_is_looked_at_from_its_end() -> None:
    history = np.zeros(changes.MOST + 500)
    history[-100:] = 1.0
    assert changes.changes(history) == [Change(changes.MOST + 400, 0.0, 1.0)]


def test_the_best_cut_is_where_the_parts_differ_most() -> None:
    assert changes.best_cut(np.array([1.0, 1.0, 5.0])) == 2
    assert changes.best_cut(np.array([1.0, 5.0])) == 1
