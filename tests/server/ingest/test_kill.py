"""A batch whose acknowledgement was never seen is sent again, and is stored once."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import pytest

from server.app import Server
from server.store.database import Database
from tests.builders import stacks
from tests.server.client import batches, config, refusal, send_all
from tests.server.drains import drain, series
from tests.server.reading import read

DRAINS = [drain(series("main;f 3", "main;g 1"), series("main 2", service="search"))]


@contextmanager
def killed(url: str, moment: str) -> Iterator[str]:
    """The address of a server that will not live long."""
    command = [sys.executable, "-m", "tests.server.ingest.killed", url, moment]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        assert process.wait(timeout=10) == -9


@pytest.mark.usefixtures("database")  # on a cluster, no server lays out its tables
@pytest.mark.parametrize(("moment", "stored"), [("inserted", 0), ("committed", 6)])
def test_a_batch_resent_after_a_kill_is_stored_once(url: str, moment: str, stored: int) -> None:
    with killed(url, moment) as address:
        status, _ = refusal(address, *batches(DRAINS))
    assert status is grpc.StatusCode.UNAVAILABLE

    with Database(url) as database:
        assert read(database).profile.total_samples == stored
        with Server(config(url)) as server:
            send_all(server.grpc_address, DRAINS)
        reading = read(database)
    assert stacks(reading.profile) == {("main", "f"): 3, ("main", "g"): 1, ("main",): 2}
    assert (reading.accounts.taken, reading.accounts.stored) == (6, 6)
