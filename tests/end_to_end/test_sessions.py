"""Sessions with the real commands, and what is left of them when one of the parts dies."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from server.app import Server
from server.store import sessions
from tests.end_to_end.conftest import get
from tests.processes import answers, eventually, free_address, running
from tests.server.client import config
from tests.server.client import get as ask
from tests.server.client import post as ask_for

pytestmark = pytest.mark.kernel

ONLY_WORKER = 'action = "keep", source_labels = ["process_executable_name"], regex = "worker"'
"""So that no time goes into reading the symbols of whatever else is busy here."""
WORKER = 'cpu{process_executable_name="worker"}'
USUAL_NS, CLOSER_NS = 10**9 // 99, 10**9 // 499
"""What a sample stands for at each of the rates."""


@pytest.fixture(autouse=True)
def worker(tmp_path: Path) -> Iterator[None]:
    program = tmp_path / "worker"
    shutil.copy("/bin/dash", program)
    with subprocess.Popen([program, "-c", "while :; do :; done"]) as process:
        yield
        process.kill()


@contextmanager
def collecting(grpc: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    arguments = ["--spool", str(folder / "spool"), "--interval", "2s", "--rule", ONLY_WORKER]
    with running("collect", "--server", grpc, *arguments, log=folder / "collect.log") as collector:
        yield collector


def record(http: str, seconds: int, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "profiler", "record", "--server", f"http://{http}"]
    command += ["--on", 'process_executable_name="worker"', "-F", "499"]
    return subprocess.Popen(
        [*command, "--duration", f"{seconds}s", *arguments], stderr=subprocess.PIPE, text=True
    )


def samples(http: str, query: str) -> tuple[int, int]:
    """How many, and the nanoseconds of one."""
    total = get(http, "top", query=query)["total"]
    return total["samples"], total["value"] // max(total["samples"], 1)


def test_a_session_from_the_command_line_outlives_its_server(tmp_path: Path) -> None:
    """The file has every sample that was taken, the usual profile those of its own rate alone. What
    the node does not grant is told, and is the exit code."""
    http, grpc, log = free_address(), free_address(), tmp_path / "serve.log"
    serve = ["serve", "--http", http, "--grpc", grpc, "--database", f"sqlite:///{tmp_path}/p.db"]
    output = tmp_path / "out.folded"
    with collecting(grpc, tmp_path):
        with running(*serve, log=log) as server:
            eventually(lambda: samples(http, WORKER)[0] or None, "samples of the worker", log)
            asking = record(http, 6, "-o", str(output))
            eventually(
                lambda: samples(http, "cpu_on_demand")[0] or None, "samples of the session", log
            )
            server.kill()
        with running(*serve, log=log):
            eventually(lambda: answers(f"http://{http}/readyz"), "the next server", log)
            _, said = asking.communicate(timeout=120)
            assert asking.returncode == 0, said
            (host,) = get(http, "sessions")["sessions"][0]["hosts"]
            usual, closer = samples(http, WORKER), samples(http, "cpu_on_demand")
            refused = record(http, 6, "-F", "1000")
            _, refusal = refused.communicate(timeout=120)
    taken = sum(int(line.rpartition(" ")[2]) for line in output.read_text().splitlines())
    assert host["accounts"] == {"taken": taken, "stored": taken, "losses": []}
    assert f"taken {taken:,} samples on 1 of 1 hosts, 0 of them lost; to {output}" in said
    assert "the session goes on, and is asked after again" in said
    assert closer == (taken, CLOSER_NS)
    assert usual[1] == USUAL_NS
    assert refused.returncode == 1
    assert "refused, 1000 Hz is above the 999 Hz that this node allows" in refusal
    assert "; to " not in refusal  # there is nothing to be looked at


def test_a_collector_that_is_killed_is_gone_and_its_spool_arrives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "SILENCE_NS", 5 * 10**9)
    with Server(config(f"sqlite:///{tmp_path}/p.db")) as server:
        http, path = server.http_address, "/api/v1/sessions"

        def state(session: str) -> dict[str, Any]:
            (host,) = ask(http, f"{path}/{session}").json["hosts"]
            found: dict[str, Any] = host
            return found

        with collecting(server.grpc_address, tmp_path) as collector:
            eventually(lambda: samples(http, WORKER)[0] or None, "samples of the worker")
            session = ask_for(http, path, {"query": WORKER, "duration": "60s"}).json["session"]
            eventually(lambda: state(session)["accounts"]["taken"] or None, "its samples")
            collector.kill()
            collector.wait()
        eventually(lambda: True if state(session)["state"] == "gone" else None, "its end")
        before, _ = samples(http, WORKER)
        with collecting(server.grpc_address, tmp_path):
            eventually(lambda: True if samples(http, WORKER)[0] > before else None, "more")
            again = ask_for(http, path, {"query": WORKER, "duration": "1s"}).json["session"]
            eventually(lambda: True if state(again)["state"] == "done" else None, "the next")
        accounts = state(session)["accounts"]
        shown = ask(http, "/api/v1/top", query=f'cpu_on_demand{{profiler_session="{session}"}}')
        assert shown.json["total"]["samples"] == accounts["taken"] == accounts["stored"] > 0
