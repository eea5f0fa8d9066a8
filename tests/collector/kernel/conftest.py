"""The programs that the kernel tests sample."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "programs"

Start = Callable[[str], subprocess.Popen[bytes]]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Compiles a program of `programs/` at fixed addresses and with frame pointers."""
    folder = tmp_path_factory.mktemp("programs")

    def compiled(name: str) -> Path:
        binary = folder / name
        if not binary.exists():
            flags = ["-O1", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls", "-no-pie"]
            source = PROGRAMS / f"{name}.c"
            subprocess.run([compiler(), *flags, "-o", binary, source], check=True)
        return binary

    return compiled


@pytest.fixture
def start(build: Callable[[str], Path]) -> Iterator[Start]:
    """Runs programs of `programs/` until the test ends."""
    with ExitStack() as running:

        def started(name: str) -> subprocess.Popen[bytes]:
            process = running.enter_context(subprocess.Popen([build(name)]))
            running.callback(process.kill)
            return process

        yield started


def compiler() -> str:
    found = shutil.which("cc")
    if found is None:
        pytest.skip("no C compiler: apt-get install gcc")
    return found
