"""How a rule stands, evaluation by evaluation."""

import pytest

from server.alerts.state import Reading, fail, step, untold
from server.store.alerts import Standing, State

MINUTE = 60 * 10**9
HOLDS, HOLDS_NOT = Reading(True, 0.3), Reading(False, 0.1)


def walked(readings: str, for_ns: int = 2 * MINUTE) -> list[Standing]:
    """An evaluation a minute: `+` holds, `-` does not, `!` fails."""
    standing, all_ = Standing(), []
    for minute, sign in enumerate(readings, 1):
        now_ns = minute * MINUTE
        if sign == "!":
            standing = fail(standing, "no database", now_ns)
        else:
            standing = step(standing, HOLDS if sign == "+" else HOLDS_NOT, for_ns, now_ns)
        all_.append(standing)
    return all_


@pytest.mark.parametrize(
    ("readings", "states"),
    [
        ("--", "inactive inactive"),
        ("+++", "pending pending firing"),
        ("++-+", "pending pending inactive pending"),
        ("+++-", "pending pending firing resolved"),
        ("+++--", "pending pending firing resolved resolved"),
        ("+++-+++", "pending pending firing resolved pending pending firing"),
        ("+++-+-", "pending pending firing resolved pending inactive"),
        ("+!+", "pending pending firing"),
        ("+++!-", "pending pending firing firing resolved"),
        ("!", "inactive"),
    ],
)
def test_a_rule_fires_when_it_has_held_so_long(readings: str, states: str) -> None:
    assert " ".join(one.state for one in walked(readings)) == states


def test_without_a_time_it_fires_at_once() -> None:
    assert [one.state for one in walked("+-", 0)] == [State.FIRING, State.RESOLVED]


def test_times_are_those_of_the_changes() -> None:
    pending, _, firing, still, resolved = walked("++++-")
    assert [one.since_ns // MINUTE for one in (pending, firing, still, resolved)] == [1, 3, 3, 5]
    assert resolved.began_ns == 3 * MINUTE
    assert (still.evaluated_ns, still.value) == (4 * MINUTE, 0.3)


def test_a_failure_is_kept_beside_the_last_value_until_the_next_evaluation() -> None:
    failed, mended = walked("+!+")[1:]
    assert (failed.error, failed.value, failed.evaluated_ns) == ("no database", 0.3, 2 * MINUTE)
    assert mended.error == ""


@pytest.mark.parametrize(
    ("state", "told", "news"),
    [
        (State.INACTIVE, "", None),
        (State.PENDING, "", None),
        (State.FIRING, "", State.FIRING),
        (State.FIRING, "resolved", State.FIRING),
        (State.FIRING, "firing", None),
        (State.RESOLVED, "firing", State.RESOLVED),
        (State.PENDING, "firing", State.RESOLVED),
        (State.RESOLVED, "", None),
        (State.RESOLVED, "resolved", None),
    ],
)
def test_the_webhook_hears_each_change_once(state: State, told: str, news: State | None) -> None:
    assert untold(Standing(state, told=told)) is news
