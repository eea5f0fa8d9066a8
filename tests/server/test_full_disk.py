"""A disk that is full for real: a small tmpfs with nothing but the database on it."""

import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
import pytest

from profiler.model import Drain
from profiler.wire import StreamEncoder
from server.app import Server
from server.maintenance import compaction_phases
from server.store.database import Database, DatabaseFullError
from tests.server.client import Answer, config, get, stream
from tests.server.conftest import BACKENDS
from tests.server.drains import MIDNIGHT, TEN_SECONDS, collector_id, drain, series
from tests.server.reading import DAY, total

DISK_BYTES = 32 << 20
"""PostgreSQL's empty database takes 8 MB."""

ROOM_BYTES = 1 << 20
"""What is left for samples: some twenty drains."""

STACKS = 300


@dataclass(frozen=True)
class Disk:
    """`url` is of a database on it."""

    folder: Path
    url: str

    def fill(self) -> None:
        """Leaves ROOM_BYTES to the database."""
        free = os.statvfs(self.folder).f_bavail * os.statvfs(self.folder).f_frsize
        with self._ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free - ROOM_BYTES)

    def free(self) -> None:
        self._ballast.unlink()

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"


@contextmanager
def mounted() -> Iterator[Path]:
    """A tmpfs that every user may look into; skips the test where that is not allowed."""
    with TemporaryDirectory(prefix="profiler-disk-") as name:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=755", "tmpfs", name]
        tried = subprocess.run(mount, capture_output=True, text=True)
        if tried.returncode:
            pytest.skip(f"a small disk cannot be mounted: {tried.stderr.strip()}")
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", name], check=True)


@pytest.fixture(params=BACKENDS)
def disk(request: pytest.FixtureRequest) -> Iterator[Disk]:
    with mounted() as folder:
        if request.param == "sqlite":
            yield Disk(folder, f"sqlite:///{folder}/profiler.db")
        else:
            tables = folder / "tables"
            tables.mkdir()
            with request.getfixturevalue("postgres").database_in(tables) as url:
                yield Disk(folder, url)


def measured(number: int) -> Drain:
    """Stacks that were never seen before."""
    choose = random.Random(number)
    lines = {f"main;f{choose.getrandbits(30)};g{choose.getrandbits(30)}" for _ in range(STACKS)}
    return drain(series(*(f"{line} 1" for line in lines)), start_ns=MIDNIGHT + number * TEN_SECONDS)


def send(address: str, first: int, most: int = 1000) -> tuple[int, grpc.RpcError | None]:
    """Sends drains from number `first` on: how many were acknowledged, and what ended them."""
    encoder = StreamEncoder()
    with stream(address) as opened:
        for number in range(first, first + most):
            message = encoder.encode(measured(number), collector_id(1), number)
            try:
                opened.send(message)
            except grpc.RpcError as error:
                return number - first, error
    return most, None


def compact(database: Database) -> None:
    for phase in compaction_phases(database, 2 * DAY.to_ns, everything=True):
        for step in phase:
            step()


def metric(server: Server, name: str) -> float:
    lines = get(server.http_address, "/metrics").body.decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def ready(server: Server) -> Answer:
    return get(server.http_address, "/readyz")


def test_a_full_disk_loses_nothing_and_ingest_goes_on_when_there_is_room(disk: Disk) -> None:
    with Server(config(disk.url)) as server:
        assert send(server.grpc_address, 0, most=2) == (2, None)
        assert (ready(server).status, metric(server, "profiler_store_full")) == (200, 0)
        disk.fill()

        sent, error = send(server.grpc_address, 2)
        stored = 2 + sent
        assert error is not None
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        said = error.details() or ""
        assert "is full" in said and "free space on its disk" in said
        refused = 'profiler_ingest_batches_total{outcome="resource_exhausted"}'
        assert (metric(server, "profiler_store_full"), metric(server, refused)) == (1, 1)
        assert (ready(server).status, "is full" in ready(server).json["detail"]) == (503, True)
        assert total(server.database) == stored * STACKS

        with pytest.raises(DatabaseFullError):
            compact(server.database)
        assert total(server.database) == stored * STACKS

        disk.free()
        assert send(server.grpc_address, stored, most=5) == (5, None)
        assert (ready(server).status, metric(server, "profiler_store_full")) == (200, 0)
        compact(server.database)
        assert total(server.database) == (stored + 5) * STACKS
        assert server.database.full is None
