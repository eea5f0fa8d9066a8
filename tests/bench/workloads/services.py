"""PostgreSQL under pgbench, on a server of the benchmark's own."""

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests import postgres
from tests.bench.workloads.workload import START_SECONDS, MissingError, Workload, need, running

SCALE = 10
"""A million accounts, 150 MB: built in 2 s, and in memory."""


def workloads() -> list[Workload]:
    return [Workload("postgres", start)]


@dataclass(frozen=True, slots=True)
class Pgbench:
    """The server, and a client that keeps it busy."""

    url: str
    pids: Sequence[int]

    def transactions(self) -> int:
        """So many since the server began: each takes the next number."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            row = connection.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
            return int(row.fetchall()[0][0])


@contextmanager
def start(folder: Path) -> Iterator[Sequence[int]]:
    with pgbench(folder, clients=2) as busy:
        yield busy.pids


@contextmanager
def pgbench(folder: Path, clients: int) -> Iterator[Pgbench]:
    try:
        program = need("pgbench")
        with postgres.running() as server:
            url = server.url()
            fill = ["--initialize", "--quiet", f"--scale={SCALE}"]
            subprocess.run([program, *fill, url], check=True, capture_output=True)
            arguments = [program, f"--client={clients}", "--time=3600", url]
            with running(arguments, folder) as client:
                time.sleep(START_SECONDS)  # until it is connected
                yield Pgbench(url, [server_pid(url), client.pid])
    except postgres.PostgresMissingError as error:
        raise MissingError(str(error)) from error


def server_pid(url: str) -> int:
    """The process that starts one for each connection."""
    with psycopg.connect(url) as connection:
        status = Path(f"/proc/{connection.info.backend_pid}/status").read_text()
        return int(status.split("PPid:", 1)[1].split()[0])
