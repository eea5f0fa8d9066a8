"""The rows of the function history; that its answers are right, tests/server/test_laws.py says."""

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from profiler.analysis.grouping import FunctionKey
from profiler.model import Kind
from server.store import history, migrations
from server.store.blob import DamagedError
from server.store.database import Database
from server.store.history import COSTS, Day, decode, encode
from server.store.hours import DAY_HOURS
from server.store.plan import Level
from server.store.schema import function_history
from server.store.stale import Mark

MARK = Mark(7, "cpu", Level.ALL_DAY, 48, 1)

texts = st.sampled_from(("", "f", "g", "main")) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=8
)
keys = st.tuples(texts, texts, texts, st.sampled_from(Kind))
counts = st.integers(0, 2**40) | st.just(0)


def costs(functions: int, *numbers: int) -> np.ndarray[tuple[int, int, int], np.dtype[np.int64]]:
    """All 0 but the first."""
    table = np.zeros((COSTS, functions, DAY_HOURS), np.int64)
    table.reshape(-1)[: len(numbers)] = numbers
    return table


@given(st.lists(keys, min_size=1, max_size=6, unique=True), st.lists(counts), st.booleans())
def test_the_costs_of_a_function_come_back(
    functions: list[FunctionKey], numbers: list[int], one_period: bool
) -> None:
    table = costs(len(functions), *numbers[: len(functions) * DAY_HOURS])
    table[2:] = table[:2] * 1000 if one_period else table[:2] // 3
    blob = encode(functions, table)
    for name in {key[0] for key in functions} | {"no such"}:
        found = {key: costs.tolist() for key, costs in decode(blob, [name])}
        assert found == {
            key: table[:, place].tolist() for place, key in enumerate(functions) if key[0] == name
        }


@given(st.binary(max_size=200))
def test_a_damaged_row_is_refused(rubbish: bytes) -> None:
    blob = encode([("f", "", "", Kind.NATIVE)], costs(1, 1))
    for damaged in (rubbish, blob[:-1], blob[:8] + rubbish + blob[8 + len(rubbish) :]):
        try:
            list(decode(damaged, ["f"]))
        except DamagedError:
            continue
        assert damaged == blob


@pytest.mark.parametrize("functions", [0, 1, 63, 64, 1000])
def test_a_day_of_any_number_of_functions_is_found_by_name(
    database: Database, functions: int
) -> None:
    names = [(f"f{number}", "", "", Kind.NATIVE) for number in range(functions)]
    table = np.tile(np.arange(functions).reshape(1, -1, 1), (COSTS, 1, DAY_HOURS))
    everything = np.full((COSTS, DAY_HOURS), 5)
    with database.write() as transaction:
        history.write(transaction, MARK, Day(names * 1, table * 2, everything))
        history.write(transaction, MARK, Day(names, table, everything))
    with database.read() as transaction:
        rows = transaction.execute(sa.select(function_history.c.n)).scalars().all()
        assert sum(rows) == functions + 1
        assert max(rows) < 160
        for number in (0, functions - 1, functions):
            found = list(history.read(transaction, "cpu", [7], range(48, 72), [f"f{number}"]))
            sums = {row.key and row.key[0]: row.costs.tolist() for row in found}
            expected: dict[str | None, list[list[int]]] = {None: everything.tolist()}
            if 0 <= number < functions:
                expected[f"f{number}"] = [[number] * DAY_HOURS] * COSTS
            assert sums == expected
        assert not list(history.read(transaction, "cpu", [7], range(72, 96), ["f0"]))
        assert not list(history.read(transaction, "cpu", [8], range(48, 72), ["f0"]))


def test_days_that_were_summed_up_by_an_older_version_are_summed_up_again(empty: Database) -> None:
    migrations.migrate(empty, "0003")
    columns = "scope_id, profile_type, level, hour, series_id, epoch, period, part"
    sums = "profiles, samples, value, n, sums"
    with empty.write() as transaction:
        for level, hour in ((4, 0), (4, 24), (3, 0)):
            transaction.exec_driver_sql(
                f"INSERT INTO rollup ({columns}, {sums}) "
                f"VALUES (1, 'cpu', {level}, {hour}, 0, 0, 1, 0, 1, 1, 1, 1, '')"
            )
        transaction.exec_driver_sql("INSERT INTO stale VALUES (1, 'cpu', 4, 24, 99)")
    migrations.migrate(empty)
    with empty.read() as transaction:
        marks = transaction.exec_driver_sql("SELECT level, hour, version FROM stale ORDER BY hour")
        assert [tuple(row) for row in marks] == [(4, 0, 0), (4, 24, 99)]
