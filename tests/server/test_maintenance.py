"""The thread that compacts and sums up, and the command that does the same at once."""

import logging
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from profiler.clock import SystemClock
from server.config import TENANT
from server.ingest.ingester import Ingester
from server.maintenance import Maintenance
from server.metrics import Metrics
from server.store import compaction, migrations, size
from server.store.database import Database
from server.store.retention import Policy
from server.store.schema import hot, stale
from tests.processes import eventually
from tests.server.drains import MIDNIGHT, SECOND, drain, send_all, series
from tests.server.reading import total


def settled(database: Database) -> bool | None:
    """True when nothing is left to do."""
    with database.read() as transaction:
        counts = [
            transaction.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in (hot, stale)
        ]
    return True if counts == [0, 0] else None


def working(database: Database) -> Maintenance:
    return Maintenance(database, TENANT, Policy(), Metrics(), SystemClock(), pause_seconds=0.01)


def test_the_server_compacts_and_sums_up_in_the_background(database: Database) -> None:
    send_all(Ingester(database, TENANT), [drain(series("main 3"), series("f 1", host="b"))])
    with working(database):
        eventually(lambda: settled(database), "everything is compacted")
    assert total(database) == 4


def test_it_rests_as_long_as_it_has_worked_itself_and_not_for_what_it_has_waited(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it falls behind where there is the most to do; and once it is, it does not rest."""
    spent = {"monotonic": 0.0, "thread_time": 0.0}

    def step() -> None:
        spent["monotonic"] += 9
        spent["thread_time"] += 2

    for name in spent:
        monkeypatch.setattr(time, name, lambda name=name: spent[name])
    rested: list[float] = []
    busy = working(database)
    monkeypatch.setattr(busy.stopping, "wait", rested.append)
    busy.next_monotonic = 20
    busy._do(iter([[step, step], [step]]))
    assert rested == [2, 2, 0]


def test_what_fails_is_said_and_tried_again(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    send_all(Ingester(database, TENANT), [drain(series("main 3"))])
    pending = compaction.pending
    failures = [ZeroDivisionError("a bug")]

    def fails_once(transaction: sa.Connection) -> list[compaction.Pending]:
        if failures:
            raise failures.pop()
        return pending(transaction)

    monkeypatch.setattr(compaction, "pending", fails_once)
    with (
        caplog.at_level(logging.WARNING),
        working(database),
    ):
        eventually(lambda: settled(database), "everything is compacted")
    assert "the database is not maintained" in caplog.text


def test_the_command_leaves_nothing_to_do_and_may_be_repeated(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/profiler.db"
    with Database(url) as database:
        migrations.migrate(database)
        send_all(Ingester(database, TENANT), [drain(series("main 3"), series("f 1", host="b"))])
        command = [sys.executable, "-m", "profiler", "compact", "--database", url]
        said = [
            subprocess.run(command, capture_output=True, text=True, check=True).stderr
            for _ in range(2)
        ]
        assert said == [f"profiler: {url} is compacted, in {steps} steps\n" for steps in (3, 0)]
        assert settled(database)
        assert total(database) == 4


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "profiler", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True)


def test_prune_removes_by_age_and_db_says_what_is_left(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/profiler.db"
    with Database(url) as database:
        migrations.migrate(database)
        send_all(Ingester(database, TENANT), [drain(series("main 3", "f 1"))])
        keep = ("--keep", "raw=forever", "--keep", "minute=forever", "--keep", "hour=forever")
        assert "is pruned" in run("prune", "--database", url, *keep).stderr
        words = [line.split() for line in run("db", "--database", url).stdout.splitlines()]
        assert ["entries", "2"] in words
        assert ["chunk", "1"] in [line[:2] for line in words]
        run("prune", "--database", url, "--keep", "minute=1h", "--keep", "raw=1h")
        words = [line.split() for line in run("db", "--database", url).stdout.splitlines()]
        assert ["entries", "0"] in words
        assert ["chunk", "0"] in [line[:2] for line in words]


def test_metrics_say_what_the_database_holds(database: Database) -> None:
    send_all(Ingester(database, TENANT), [drain(series("main 3", "f 1"))])
    metrics = Metrics()
    metrics.show(size.holdings(database, MIDNIGHT + 60 * SECOND))
    lines = metrics.text().decode().splitlines()
    for line in (
        'profiler_store_rows{table="hot"} 1.0',
        "profiler_store_entries 2.0",
        "profiler_store_epochs 1.0",
        "profiler_store_compaction_lag_seconds 60.0",
        "profiler_store_stale_sums 0.0",
    ):
        assert line in lines
    for name in ("profiler_store_database_bytes", 'profiler_store_bytes{table="hot"}'):
        (line,) = (line for line in lines if line.startswith(f"{name} "))
        assert float(line.split()[1]) > 0
