"""One program to sample, and how it is started.

workload = Workload("sqlite3", command(lambda folder: ["sqlite3", "-batch", …]))
with workload.start(folder) as roots:
    …                            # the processes `roots` and their descendants are at work
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = Path(__file__).with_name("programs")
START_SECONDS = 0.5

Start = Callable[[Path], AbstractContextManager[Sequence[int]]]
"""Given a folder for what it builds; yields the processes whose descendants are the workload."""


class MissingError(Exception):
    """This machine lacks what a workload needs; says what."""


@dataclass(frozen=True, slots=True)
class Workload:
    """`complete` is the percentage of whole stacks that the project demands of it.

    A `brief` one consists of processes that end while they are sampled, so its first samples
    count; any other is sampled once what it needs is loaded. With `perf_map` its runtime tells
    the names of the code that it compiles. `pace` says from what it printed, and the seconds
    that it ran, whether it did what it should.
    """

    name: str
    start: Start
    complete: float = 99.0
    brief: bool = False
    perf_map: bool = False
    pace: Callable[[str, float], str] | None = None


def command(arguments: Callable[[Path], Sequence[str | Path]]) -> Start:
    """Starts a command of one process, whose children belong to it."""

    @contextmanager
    def start(folder: Path) -> Iterator[Sequence[int]]:
        with running(arguments(folder), folder) as process:
            time.sleep(START_SECONDS)
            if process.poll() is not None:
                raise MissingError(f"it ended at once with code {process.returncode}")
            yield [process.pid]

    return start


@contextmanager
def running(arguments: Sequence[str | Path], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process and its group, killed at the end; what it prints goes to the file `output`."""
    with (
        (folder / "output").open("wb") as output,
        subprocess.Popen(
            arguments, stdout=output, stderr=output, cwd=folder, start_new_session=True
        ) as process,
    ):
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def need(*programs: str) -> str:
    """The path of the first; raises MissingError where one of them is not installed."""
    for program in programs:
        if shutil.which(program) is None:
            raise MissingError(f"{program} is not installed")
    return shutil.which(programs[0]) or ""


def built(folder: Path, name: str, *arguments: str | Path) -> Path:
    """The file `name` in `folder`, made by a command on first use; MissingError where it cannot."""
    target = folder / name
    if not target.exists():
        need(str(arguments[0]))
        result = subprocess.run(arguments, cwd=folder, capture_output=True, text=True)
        if result.returncode:
            raise MissingError(f"{arguments[0]} fails: {result.stderr.strip().splitlines()[-1]}")
    return target
