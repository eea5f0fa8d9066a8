"""How rules stand in a database, and whose turn it is."""

from dataclasses import replace

from server.store import alerts
from server.store.alerts import FORGET_NS, Standing, State
from server.store.database import Database

MINUTE = 60 * 10**9
NOW = 10**6 * MINUTE
FIRING = Standing(
    *(State.FIRING, NOW - MINUTE, NOW - MINUTE, NOW, 0.25, 0.3, 123, "f 1.00% → 2.00%", "no")
)


def take(database: Database, now_ns: int, rule: str = "a", tenant: str = "t") -> bool:
    with database.write() as transaction:
        return alerts.take_turn(transaction, tenant, rule, now_ns, MINUTE)


def write(database: Database, turn_ns: int, standing: Standing) -> bool:
    with database.write() as transaction:
        return alerts.write(transaction, "t", "a", turn_ns, standing)


def standings(database: Database) -> dict[str, Standing]:
    with database.read() as transaction:
        return alerts.read(transaction, "t")


def test_a_turn_is_taken_once_in_its_time(database: Database) -> None:
    assert take(database, NOW)
    assert not take(database, NOW)
    assert not take(database, NOW + MINUTE - 1)
    assert take(database, NOW + MINUTE)
    assert take(database, NOW, rule="b") and take(database, NOW, tenant="u")
    assert set(standings(database)) == {"a", "b"}


def test_a_clock_that_was_set_back_takes_turns_again(database: Database) -> None:
    assert take(database, NOW)
    assert not take(database, NOW - MINUTE // 2)
    assert take(database, NOW - 2 * MINUTE)


def test_what_came_of_a_turn_is_there_at_the_next_start(database: Database) -> None:
    take(database, NOW)
    assert write(database, NOW, FIRING)
    assert standings(database) == {"a": FIRING}
    nothing = replace(FIRING, value=None, share=None)
    assert write(database, NOW, nothing)
    assert standings(database) == {"a": nothing}


def test_what_comes_of_a_turn_too_late_is_not_written(database: Database) -> None:
    take(database, NOW)
    take(database, NOW + MINUTE)
    assert not write(database, NOW, FIRING)
    assert standings(database) == {"a": Standing(since_ns=NOW)}


def test_names_of_strangers_are_kept_as_far_as_a_database_takes_them(database: Database) -> None:
    take(database, NOW)
    assert write(database, NOW, replace(FIRING, detail="f\0\x1b → g"))
    assert standings(database)["a"].detail == "f\x1b → g"


def test_what_was_told_is_not_written_over(database: Database) -> None:
    take(database, NOW)
    with database.write() as transaction:
        alerts.write_told(transaction, "t", "a", State.FIRING)
    write(database, NOW, FIRING)
    assert standings(database)["a"].told == "firing"


def test_rules_that_nobody_evaluates_are_forgotten(database: Database) -> None:
    take(database, NOW)
    for age, held in ((FORGET_NS, {"a"}), (FORGET_NS + 1, set())):
        with database.write() as transaction:
            alerts.forget(transaction, "t", NOW + age)
        assert set(standings(database)) == held
