"""`profiler serve` and `profiler migrate` as they are typed: one line says what is wrong."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from server.store import migrations
from server.store.database import Database
from tests.processes import free_address
from tests.server.client import batches, get, send_all, stream
from tests.server.drains import drain, series
from tests.server.reading import total


def profiler(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "profiler", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        env=os.environ | environment,
    )


@contextmanager
def serving(database: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server and the line that it prints."""
    with subprocess.Popen(
        [sys.executable, "-m", "profiler", "serve", "--database", database],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ
        | {"PROFILER_HTTP": "127.0.0.1:0", "PROFILER_GRPC": "127.0.0.1:0"}
        | environment,
    ) as process:
        assert process.stderr is not None
        try:
            yield process, process.stderr.readline()
        finally:
            process.kill()


@pytest.fixture
def file(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/profiler.db"


def test_serve_says_its_addresses_in_a_line_and_ends_at_sigterm(file: str) -> None:
    with serving(file) as (process, line):
        words = line.replace(",", "").split()
        http, grpc = words[words.index("page") + 1], words[words.index("collectors") + 1]
        assert get(http.removeprefix("http://"), "/readyz").status == 200
        with stream(grpc) as opened:
            for batch in batches([drain(series("main 1"))]):
                opened.send(batch)
            process.send_signal(signal.SIGTERM)  # while a collector is there
            assert process.wait(timeout=15) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    with Database(file) as database:
        assert total(database) == 1


@pytest.mark.parametrize(("limit", "services"), [("1", 1), ("1000", 2)])
def test_serve_remembers_as_many_nodes_as_it_is_told(file: str, limit: str, services: int) -> None:
    """But always those of the service that was written last."""
    with serving(file, PROFILER_SERVE_CACHED_NODES=limit) as (_, line):
        words = line.replace(",", "").split()
        http, grpc = words[words.index("page") + 1], words[words.index("collectors") + 1]
        send_all(grpc, [drain(series("main 1", service=name)) for name in ("cart", "search")])
        for path in ("/api/v1/flamegraph", "/metrics"):
            answer = get(http.removeprefix("http://"), path, query="cpu", from_="0", to="now")
        cached = dict(line.rsplit(" ", 1) for line in answer.body.decode().splitlines())
    to_write = 1 + 4 + 4 + 16  # node, frame, series, scope
    to_read = (2 + 4) + (2 + 2)  # nodes with the root, frame; nodes of stacks and of functions
    assert float(cached["profiler_ingest_cached_nodes"]) == services * to_write
    assert float(cached["profiler_query_cached_nodes"]) == services * to_read


def test_a_server_starts_no_threads_to_multiply_matrices() -> None:
    code = "import os, server.cli.serve; print(len(os.listdir('/proc/self/task')))"
    environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == "1\n"


@pytest.mark.parametrize("port", ["PROFILER_HTTP", "PROFILER_GRPC"])
def test_a_port_in_use_is_one_line_with_the_next_step(file: str, port: str) -> None:
    address = free_address()
    flag = "--" + port.removeprefix("PROFILER_").lower()
    with serving(file, **{port: address}):
        second = profiler("serve", "--database", file, **{port: address, **_free(port)})
    assert (second.returncode, second.stderr.count("\n")) == (1, 1)
    assert address in second.stderr
    assert f"Name another address with {flag}" in second.stderr


def _free(port: str) -> dict[str, str]:
    other = {"PROFILER_HTTP": "PROFILER_GRPC", "PROFILER_GRPC": "PROFILER_HTTP"}[port]
    return {other: "127.0.0.1:0"}


def test_a_newer_database_is_one_line_with_the_next_step(file: str) -> None:
    head = migrations.head()
    with Database(file) as database:
        migrations.migrate(database)
        with database.write() as transaction:
            transaction.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    for command in (["serve"], ["serve", "--no-migrate"], ["migrate"], ["migrate", "--check"]):
        refused = profiler(*command, "--database", file)
        assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
        assert f"revision 9999, newer than this profiler ({head}): install" in refused.stderr


def test_serve_without_migrating_refuses_an_older_database(file: str) -> None:
    refused = profiler("serve", "--no-migrate", "--database", file)
    assert refused.returncode == 1
    assert f"run `profiler migrate --database {file}`" in refused.stderr


def test_migrate_goes_forth_and_back(file: str) -> None:
    head = migrations.head()
    assert profiler("migrate", "--check", "--database", file).returncode == 1
    forth = profiler("migrate", PROFILER_DATABASE=file)
    assert (forth.returncode, forth.stderr) == (0, f"profiler: {file} went from base to {head}\n")
    assert profiler("migrate", "--check", "--database", file).returncode == 0
    back = profiler("migrate", "--revision", "base", "--database", file)
    assert back.stderr == f"profiler: {file} went from {head} to base\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "is SQLite: name the coordinator of a Citus cluster, --database postgresql://"),
        (["--check"], "--distribute goes with neither --check nor --revision"),
        (["--revision", "0001"], "--distribute goes with neither --check nor --revision"),
    ],
)
def test_distribute_changes_nothing_where_it_cannot(
    file: str, arguments: list[str], says: str
) -> None:
    refused = profiler("migrate", "--distribute", *arguments, "--database", file)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert says in refused.stderr
    assert not Path(file.removeprefix("sqlite:///")).exists()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--database", "mysql://x/y"], 2, "use sqlite:///FILE or postgresql://USER@HOST/NAME"),
        (["--database", "profiler.db"], 2, "try sqlite:///profiler.db"),
        (["--database", "sqlite://"], 2, "needs a file"),
        (["--database", "sqlite:////nowhere/profiler.db"], 1, "unable to open database file"),
        (["--database", "postgresql://127.0.0.1:1/x"], 1, "does not answer as it should"),
        (["--http", "8440"], 2, "expected HOST:PORT"),
    ],
)
def test_what_serve_cannot_use_is_one_line(arguments: list[str], code: int, says: str) -> None:
    refused = profiler("serve", "--http", "127.0.0.1:0", *arguments)
    assert (refused.returncode, refused.stderr.count("\n")) == (code, 1)
    assert says in refused.stderr
