"""Interpreters of this machine that the kernel's walk does not know."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from collector.pyspy.spying import find_program

PROGRAMS = Path(__file__).parent / "programs"
OLD = ("python2.7", "python3.6", "python3.7")

Start = Callable[..., subprocess.Popen[bytes]]


def interpreter(name: str) -> Path:
    """pyenv's; skips the test where there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for path in sorted(pyenv.glob(f"versions/*/bin/{name}")):
        return path
    pytest.skip(f"no {name} in {pyenv}")


@pytest.fixture(params=OLD)
def python(request: pytest.FixtureRequest) -> Path:
    """Each interpreter in turn."""
    return interpreter(request.param)


@pytest.fixture(scope="session")
def program() -> Path:
    """py-spy."""
    found = find_program()
    if found is None:
        pytest.skip("no py-spy: pip install py-spy")
    return found


@pytest.fixture
def start() -> Iterator[Start]:
    """Runs commands until the test ends."""
    with ExitStack() as running:

        def started(*command: str | Path, stdin: int | None = None) -> subprocess.Popen[bytes]:
            process = subprocess.Popen(command, stdin=stdin)
            running.enter_context(process)
            running.callback(process.kill)
            return process

        yield started
