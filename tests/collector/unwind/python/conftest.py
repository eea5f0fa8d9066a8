"""The interpreters of this machine, and the reason where the kernel cannot sample them.

PROFILER_TEST_PYTHONS adds others, by path; each may be a script that ends in `exec`:

    PROFILER_TEST_PYTHONS=/opt/python3.14/bin/python3.14 pytest tests/collector/unwind/python
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from collector.kernel import perf_event
from collector.kernel.libbpf import Library
from profiler.errors import ProfilerError
from tests.collector.unwind.python.harness import Harness, compile_program

PROGRAMS = Path(__file__).parent / "programs"

Start = Callable[..., subprocess.Popen[bytes]]


def interpreters(oldest: tuple[int, int] = (3, 8)) -> list[Path]:
    """Debian's, pyenv's and those of PROFILER_TEST_PYTHONS, from `oldest` on."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    named = filter(None, os.environ.get("PROFILER_TEST_PYTHONS", "").split(os.pathsep))
    found = [*Path("/usr/bin").glob("python3.*"), *pyenv.glob("*/bin/python3.*"), *map(Path, named)]
    versions = {path: re.fullmatch(r"python(\d)\.(\d+)", path.name) for path in found}
    wanted = [p for p, v in versions.items() if v and (int(v[1]), int(v[2])) >= oldest]
    return sorted(wanted, key=str)


@pytest.fixture(params=interpreters(), ids=str)
def python(request: pytest.FixtureRequest) -> Path:
    """Each interpreter in turn."""
    path: Path = request.param
    return path


@pytest.fixture(scope="session")
def unable() -> str:
    """Why this machine cannot run the tests marked `kernel`; empty where it can."""
    if shutil.which("clang") is None:
        return "no clang: apt-get install clang"
    try:
        perf_event.available(perf_event.CPU_CLOCK, 99)
        Library()
    except ProfilerError as error:
        return str(error)
    return ""


@pytest.fixture(autouse=True)
def skip_where_the_kernel_refuses(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("kernel"):
        reason = request.getfixturevalue("unable")
        if reason:
            pytest.skip(reason)


@pytest.fixture(scope="package")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    """The loaded BPF object, for one process at a time."""
    with Harness(compile_program(tmp_path_factory.mktemp("bpf"))) as loaded:
        yield loaded


@pytest.fixture
def start() -> Iterator[Start]:
    """Runs commands until the test ends."""
    with ExitStack() as running:

        def started(
            *command: str | Path, stdin: int | None = None, stdout: int | None = None
        ) -> subprocess.Popen[bytes]:
            process = subprocess.Popen(command, stdin=stdin, stdout=stdout)
            running.enter_context(process)
            running.callback(process.kill)
            return process

        yield started
