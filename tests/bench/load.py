"""Two busy CPUs: Python, node, and PostgreSQL under pgbench, which tell how much they have done."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench import proc
from tests.bench.workloads.services import Pgbench, pgbench
from tests.bench.workloads.workload import PROGRAMS, need, running

START_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Work:
    """Pieces of work of one program, and the CPU time that they took, interrupts included."""

    pieces: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Load:
    """`files` grow by a byte a piece of work; both by name, with the process at its root."""

    files: dict[str, tuple[Path, int]]
    database: Pgbench

    def done(self) -> dict[str, Work]:
        """By each program since its start."""
        found = {
            name: Work(path.stat().st_size, proc.cpu_seconds(proc.tree(pid)))
            for name, (path, pid) in self.files.items()
        }
        pids = {pid for root in self.database.pids for pid in proc.tree(root)}
        found["postgres"] = Work(self.database.transactions(), proc.cpu_seconds(pids))
        return found


@contextmanager
def busy(python: Path, folder: Path) -> Iterator[Load]:
    """Raises MissingError where a part of it is not installed."""
    commands = {
        "python": [str(python), str(PROGRAMS / "work.py")],
        "node": [need("node"), "--perf-basic-prof", str(PROGRAMS / "work.js")],
    }
    with ExitStack() as opened:
        files = {}
        for name, command in commands.items():
            own, progress = folder / name, folder / name / "progress"
            own.mkdir()
            progress.touch()
            process = opened.enter_context(running([*command, str(progress)], own))
            opened.callback(Path(f"/tmp/perf-{process.pid}.map").unlink, missing_ok=True)
            files[name] = progress, process.pid
        database = opened.enter_context(pgbench(folder, clients=1))
        time.sleep(START_SECONDS)
        yield Load(files, database)
