"""Interpreters and JIT compilers: CPython of several versions, node, the JVM."""

import os
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench.workloads.workload import (
    PROGRAMS,
    MissingError,
    Start,
    Workload,
    built,
    command,
    need,
    running,
)

OLDEST = (3, 8)
WARM_UP_SECONDS = 4.0
"""Until the JVM has compiled what is hot: what it compiles after it wrote its map has no name."""


def workloads() -> list[Workload]:
    return [
        *(Workload(name, python(path, PROGRAMS / "work.py")) for name, path in pythons().items()),
        Workload("node", node, perf_map=True),
        Workload("java", java, perf_map=True),
    ]


def python(interpreter: Path, *arguments: str | Path) -> Start:
    return command(lambda _: [interpreter, *arguments])


def pythons() -> dict[str, Path]:
    """Each CPython from 3.8 on by `python-3.11.2`: those that PROFILER_TEST_PYTHONS names (paths,
    separated by colons), the distribution's (`…-distro`), pyenv's and those on PATH."""
    given = os.environ.get("PROFILER_TEST_PYTHONS", "").split(":")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    folders = [Path("/usr/bin"), *sorted(pyenv.glob("*/bin")), *map(Path, os.get_exec_path())]
    candidates = [Path(path) for path in given if path]
    for folder in folders:
        # A shim of pyenv is a script that starts one of the others.
        if folder.name != "shims":
            candidates += sorted(folder.glob("python3.[0-9]*"))
    found: dict[tuple[int, ...], Path] = {}
    known: set[Path] = set()
    for path in candidates:
        if path.resolve() not in known and (version := version_of(path)) >= OLDEST:
            known.add(path.resolve())
            found.setdefault(version, path)
    return {_name(version, found[version]): found[version] for version in sorted(found)}


def version_of(path: Path) -> tuple[int, ...]:
    """(3, 11, 2, 0) of an interpreter, the last 1 for the distribution's; (0,) where it is none."""
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return (0,)
    match = re.fullmatch(r"Python (\d+)\.(\d+)\.(\d+)\S*\s*", said.stdout)
    distro = path.resolve().is_relative_to("/usr/bin")
    return (*map(int, match.groups()), int(distro)) if match else (0,)


def _name(version: Sequence[int], path: Path) -> str:
    number = ".".join(map(str, version[:3]))
    return f"python-{number}-distro" if version[3] else f"python-{number}"


@contextmanager
def node(folder: Path) -> Iterator[Sequence[int]]:
    """With a map of the names of its compiled functions, which it keeps up to date."""
    arguments = [need("node"), "--perf-basic-prof", str(PROGRAMS / "work.js")]
    with running(arguments, folder) as process, perf_map(process.pid):
        time.sleep(1)
        yield [process.pid]


@contextmanager
def java(folder: Path) -> Iterator[Sequence[int]]:
    """Its map is written once, when most of it has been compiled."""
    need("java", "javac", "jcmd")
    classes = built(folder, "Work.class", "javac", "-d", folder, PROGRAMS / "Work.java").parent
    arguments = ["java", "-XX:+PreserveFramePointer", "-cp", str(classes), "Work"]
    with running(arguments, folder) as process, perf_map(process.pid):
        time.sleep(WARM_UP_SECONDS)
        told = subprocess.run(
            ["jcmd", str(process.pid), "Compiler.perfmap"], capture_output=True, text=True
        )
        if told.returncode:
            raise MissingError(f"jcmd: {told.stderr.strip() or told.stdout.strip()}")
        yield [process.pid]


@contextmanager
def perf_map(pid: int) -> Iterator[None]:
    """Removes at the end what a runtime leaves in /tmp."""
    try:
        yield
    finally:
        Path(f"/tmp/perf-{pid}.map").unlink(missing_ok=True)
