"""The live view: its text once, and on a terminal that presses keys."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.profiler.cli.conftest import Run
from tests.profiler.cli.fake_server import FakeServer
from tests.profiler.cli.test_query import CONTEXT, TOP


def test_once_shows_what_the_collectors_have_delivered(server: FakeServer, run: Run) -> None:
    server.answer("/api/v1/top", TOP | CONTEXT)
    code, out, err = run("top", 'cpu{host_name="a"}', "--server", server.url, "--window", "10s")
    assert (code, err) == (0, "")
    head, lost, titles, row = (re.sub(r" {2,}", "  ", line.strip()) for line in out.splitlines())
    assert head == 'cpu{host_name="a"}: 0.40 cores, 40 samples/s of 1 host, 10 s by self'
    assert lost == "lost 10 of 410 samples taken on these hosts: ring_full 10"
    assert titles == "self  total  function  binary"
    assert row == "75.0 %  0.30 cores  87.5 %  0.35 cores  spin�[2J  /bin/a"
    assert server.asked == [
        (
            "/api/v1/top",
            {
                "query": 'cpu{host_name="a"}',
                "from": "now-20000ms",
                "to": "now-10000ms",
                "sort": "self",
                "limit": "200",
            },
        )
    ]


def test_nothing_is_shown_with_why(server: FakeServer, run: Run) -> None:
    total = {"value": 0, "samples": 0}
    server.answer("/api/v1/top", TOP | CONTEXT | {"total": total, "functions": []})
    server.answer("/api/v1/profile-types", {"profile_types": [{"name": "cpu"}]})
    _, out, _ = run("top", "gpu", "--server", server.url, "--window", "10s")
    assert out.splitlines()[2].strip() == (
        "no samples of gpu from now-20000ms to now-10000ms: "
        "no profile type is 'gpu'; there are: cpu"
    )


def test_events_are_shown_by_the_second(server: FakeServer, run: Run) -> None:
    total = {"value": 400, "samples": 40}
    server.answer("/api/v1/top", TOP | CONTEXT | {"unit": "count", "total": total, "functions": []})
    _, out, _ = run("top", "page_faults", "--server", server.url, "--window", "10s", "--once")
    assert out.startswith("page_faults: 40 /s, 4 samples/s of 1 host")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["cpu{}", "--local"], "a SELECTOR is for a server: leave out --local and -p"),
        (["--interval", "1ms"], "100ms is the least"),
        (["--server", "http://127.0.0.1:9"], "no server at http://127.0.0.1:9"),
    ],
)
def test_what_cannot_be_shown_is_one_line(run: Run, arguments: list[str], said: str) -> None:
    code, out, err = run("top", "--once", *arguments)
    assert code != 0
    assert out == ""
    assert said in err


def test_an_answer_of_another_version_is_one_line(server: FakeServer, run: Run) -> None:
    server.answer("/api/v1/top", {"functions": []})
    code, _, err = run("top", "--server", server.url)
    assert code == 1
    assert "answers otherwise than this version reads" in err


class Terminal:
    """What a command shows on a terminal of 80 x 24."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._shown = ""

    def press(self, key: str) -> None:
        os.write(self._descriptor, key.encode())

    def until(self, text: str) -> None:
        """Waits until it has shown `text` since the last call."""
        deadline = time.monotonic() + 60
        while text not in self._shown:
            ready, _, _ = select.select([self._descriptor], [], [], deadline - time.monotonic())
            assert ready, f"{text!r} is not shown in {self._shown[-2000:]!r}"
            self._shown += os.read(self._descriptor, 65536).decode("utf-8", "replace")
        self._shown = self._shown.rpartition(text)[2]


@contextmanager
def on_a_terminal(*arguments: str) -> Iterator[tuple[Terminal, subprocess.Popen[bytes]]]:
    ours, theirs = pty.openpty()
    environment = os.environ | {"COLUMNS": "80", "LINES": "24", "TERM": "xterm"}
    command = [sys.executable, "-m", "profiler", *arguments]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        try:
            yield Terminal(ours), process
        finally:
            process.kill()
            os.close(ours)


def test_keys_sort_pause_and_quit(server: FakeServer) -> None:
    server.answer("/api/v1/top", TOP | CONTEXT)
    arguments = ["top", "--server", server.url, "--interval", "100ms"]
    with on_a_terminal(*arguments) as (terminal, process):
        terminal.until("30 s by self")
        terminal.press("s")
        terminal.until("30 s by total")
        terminal.press("p")
        terminal.until("(paused)")
        server.answer("/api/v1/top", TOP | CONTEXT | {"functions": []})
        terminal.until("spin")
        terminal.press("p")
        terminal.until("q quit  s sort  p pause ")
        terminal.press("q")
        assert process.wait(60) == 0
    assert server.asked[-1][1]["sort"] == "total"


def test_a_server_that_goes_away_leaves_what_was_shown(server: FakeServer) -> None:
    server.answer("/api/v1/top", TOP | CONTEXT)
    arguments = ["top", "--server", server.url, "--interval", "100ms"]
    with on_a_terminal(*arguments) as (terminal, process):
        terminal.until("30 s by self")
        server.answer("/api/v1/top", {"detail": "the database is away"}, 503)
        terminal.until("the database is away")
        terminal.until("spin")
        terminal.press("q")
        assert process.wait(60) == 0


@pytest.mark.kernel
def test_a_process_is_sampled_without_a_server(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "profiler", "top", "--once", "--interval", "1s", "-p"]
    with subprocess.Popen(["/bin/sh", "-c", "while :; do :; done"]) as busy:
        done = subprocess.run([*command, str(busy.pid)], capture_output=True, text=True)
        busy.kill()
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"process {busy.pid}: ")
    assert "nothing lost of" in done.stdout
