"""What tests of several of the collector's parts stand on."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector import priority, privileges
from tests.collector.delivery.server import Server
from tests.collector.symbols.programs import C_SOURCE, compiled


@pytest.fixture(scope="session")
def c_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """C_SOURCE with optimization and DWARF, position-independent."""
    return compiled(tmp_path_factory.mktemp("c") / "shop", C_SOURCE, "-O2", "-g", "-pie", "-fPIE")


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def slice_() -> Iterator[Path]:
    """A control group to make others in."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, options, *_ = line.split()
        if kind == "cgroup2" or "name=systemd" in options.split(","):
            group = Path(where) / f"profiler-test-{os.getpid()}.slice"
            break
    else:
        pytest.skip("no control groups are mounted")
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"control groups cannot be made: {error}")
    yield group
    for path in (*group.iterdir(), group):
        if path.is_dir():
            path.rmdir()


@pytest.fixture(autouse=True)
def tests_keep_their_privileges(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that runs in the tests' own process would give them up for those that follow."""
    for module, name in ((privileges, "give_up_others"), (priority, "stand_back")):
        monkeypatch.setattr(module, name, lambda: None)


@pytest.fixture
def signal_handlers() -> Iterator[None]:
    """Gives the handlers of the test's own process back."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)
