import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from profiler.cli.up import Plan
from tests.processes import free_address

HERE = Path(__file__).parent
TIMEOUT_S = 60


def plan(**options: str) -> Plan:
    given = {"database": None, "loader": None, "frequency": None, "interval": None} | options
    return Plan("127.0.0.1:8440", "127.0.0.1:8441", **given)  # type: ignore[arg-type]


def test_options_that_were_not_given_are_left_to_the_commands() -> None:
    assert plan().serve[3:] == ["serve", "--http=127.0.0.1:8440", "--grpc=127.0.0.1:8441"]
    assert plan().collect(recorded=False)[3:] == [
        "collect",
        "--server=127.0.0.1:8441",
        "--spool=profiler.db.spool",
    ]


def test_options_that_were_given_reach_the_command_they_are_for() -> None:
    given = plan(database="sqlite:///x.db", loader="bcc", frequency="199", interval="1s")
    assert given.serve[-1] == "--database=sqlite:///x.db"
    assert given.collect(recorded=False)[-3:] == [
        "--loader=bcc",
        "--frequency=199",
        "--interval=1s",
    ]
    assert given.collect(recorded=True)[-1] == "--recorded=demo"


@pytest.mark.parametrize(
    ("database", "spool"),
    [
        ("sqlite:////var/lib/p.db", "/var/lib/p.db.spool"),
        ("sqlite://", "profiler.db.spool"),
        ("postgresql://db/p", "profiler.db.spool"),
    ],
)
def test_the_spool_stands_beside_the_database(database: str, spool: str) -> None:
    assert plan(database=database).spool == spool


@pytest.mark.parametrize(
    ("http", "page"),
    [
        ("127.0.0.1:1", "http://127.0.0.1:1"),
        ("0.0.0.0:1", "http://127.0.0.1:1"),
        (":1", "http://127.0.0.1:1"),
        ("[::]:1", "http://[::1]:1"),
        ("db.example.org:1", "http://db.example.org:1"),
    ],
)
def test_the_page_has_an_address_for_a_browser_here(http: str, page: str) -> None:
    assert Plan(http, "", None, None, None, None).page == page


class Up:
    """`profiler up` over the fakes of fake_profiler.py."""

    def __init__(self, log: Path, **fakes: str) -> None:
        self.log = log
        log.touch()
        self.http = free_address()
        code = (
            "import sys; from profiler.cli import main, up;"
            f"up.PROGRAM = ({sys.executable!r}, {str(HERE / 'fake_profiler.py')!r});"
            f"main(['up', '--http', '{self.http}', '--interval', '1s'])"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, "FAKE_LOG": str(log), **fakes},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def page(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self, number: int = signal.SIGTERM) -> str:
        """Sends the signal; what was said on stderr."""
        self.process.send_signal(number)
        return self.process.communicate(timeout=TIMEOUT_S)[1]

    def noted(self) -> list[str]:
        return [" ".join(line.split()[:2]) for line in self.log.read_text().splitlines()]


def test_the_address_is_printed_when_samples_can_be_seen(tmp_path: Path) -> None:
    up = Up(tmp_path / "log")
    assert up.page() == f"http://{up.http}"
    assert up.noted() == ["serve started", "collect started"]
    assert "--interval" in up.log.read_text() and "--spool" in up.log.read_text()
    assert up.end(signal.SIGINT) == ""
    assert up.process.returncode == 0
    assert up.noted()[2:] == ["collect stopped", "serve stopped"]


def test_a_node_that_cannot_be_sampled_shows_the_recording(tmp_path: Path) -> None:
    check = (
        "ok       kernel                  6.1\n"
        "MISSING  capabilities to sample  without CAP_BPF\n"
        "                                 -> be root\n"
        "MISSING  cpu-clock               the kernel refuses perf events\n"
    )
    up = Up(tmp_path / "log", FAKE_CHECK=check, FAKE_CHECK_CODE="1")
    assert up.page() == f"http://{up.http}"
    assert "--recorded" in up.log.read_text()
    assert up.end() == (
        "profiler: this node cannot be sampled: capabilities to sample: without CAP_BPF\n"
        "profiler: a recorded profile is shown; `profiler collect --check` says what mends it\n"
    )


def test_a_check_that_breaks_is_no_verdict(tmp_path: Path) -> None:
    up = Up(tmp_path / "log", FAKE_CHECK_CODE="2")
    said = up.process.communicate(timeout=TIMEOUT_S)[1]
    assert up.process.returncode == 1
    assert said == "profiler: `collect --check` ended with exit code 2: no reason\n"


def test_a_server_that_cannot_start_is_one_line(tmp_path: Path) -> None:
    up = Up(tmp_path / "log", FAKE_SERVE_FAILS="port 8440 is in use; choose another --http ADDR")
    said = up.process.communicate(timeout=TIMEOUT_S)[1]
    assert up.process.returncode == 1
    assert said == (
        "profiler: `profiler serve` ended: port 8440 is in use; choose another --http ADDR "
        "(exit code 1)\n"
    )
