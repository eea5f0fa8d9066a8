"""The crash test for as long as you like: `make test` has ten seconds of it a database.

    make bench-crash ARGS="sqlite postgresql --seconds 600"
    make bench-crash ARGS="--seed 1234"
    make bench-crash ARGS="--mutations --seconds 30"    does it bite? see tests/server/crash

A seed chooses what is sent, asked and killed in which order; at which instruction a kill falls, no
seed says.
"""

import argparse
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.report import Figure, Report, report
from tests.postgres import PostgresMissingError, running
from tests.server.crash.mutations import MUTATIONS, ROOT, Mutation, mutated
from tests.server.crash.run import Result, run
from tests.server.crash.servers import ProcessEndedError

SECONDS = 90.0
DATABASES = ("sqlite", "postgresql")
_NOT_COPIED = (".*", "node_modules", "bench-results", "build", "__pycache__", "web")

SLACK_SECONDS = 300
"""Of a mutation: for the start, and for what is still to be delivered after the last kill."""

SHOWN = 10
"""Mistakes that are printed in full."""


def main(arguments: Sequence[str] = ()) -> None:
    options = parsed(arguments)
    databases = options.databases or DATABASES
    if options.mutations is not None:
        sys.exit(1 if missed(options.mutations, databases, options.seconds) else 0)
    wrong = False
    with report("bench-crash") as kept:
        for kind in databases:
            try:
                wrong |= measure(kind, options.seconds, options.seed, kept)
            except PostgresMissingError as error:
                print(f"{kind} is skipped: {error}")
    sys.exit(1 if wrong else 0)


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-crash")
    parser.add_argument("databases", nargs="*", metavar="DATABASE", help=" or ".join(DATABASES))
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of kills, each database")
    parser.add_argument("--seed", type=int, default=random.getrandbits(32))
    parser.add_argument(
        "--mutations", nargs="*", metavar="NAME", help="take away guards instead: all, or these"
    )
    options = parser.parse_args(arguments)
    if unknown := set(options.databases) - set(DATABASES):
        parser.error(f"no database {', '.join(sorted(unknown))}: there are {', '.join(DATABASES)}")
    return options


def measure(kind: str, seconds: float, seed: int, kept: Report) -> bool:
    """Prints what was found; whether anything was wrong."""
    with TemporaryDirectory() as name, database(kind, Path(name)) as url:
        try:
            result = run(url, Path(name), seconds, seed, progress=_show)
        except ProcessEndedError as error:
            print(f"{kind}, seed {seed}: {error}")
            return True
    print(f"{kind}, {result}", flush=True)
    wrong = [f"{batch} is lost" for batch in sorted(result.lost)]
    wrong += [f"{batch} is there twice" for batch in sorted(result.duplicated)]
    for line in [*wrong, *result.mismatches][:SHOWN]:
        print(f"  {line}")
    for what, value in (
        ("kills", result.kills),
        ("acknowledged batches", result.counts["acknowledged"]),
        ("ranges compared", result.ranges),
        ("sums compared", result.sums),
    ):
        kept.add(Figure(f"{kind} kill -9", what, value, ""))
    for what, mistakes in (
        ("lost", result.lost),
        ("duplicated", result.duplicated),
        ("mismatches", result.mismatches),
    ):
        kept.add(Figure(f"{kind} kill -9", what, len(mistakes), "", at_most=0))
    return result.wrong


def missed(names: Sequence[str], databases: Sequence[str], seconds: float) -> int:
    """Runs the crash test with each mutation; how many are not noticed."""
    if unknown := set(names) - {one.name for one in MUTATIONS}:
        sys.exit(f"no mutation {', '.join(sorted(unknown))}")
    count = 0
    for one in MUTATIONS:
        for database in databases:
            if (not names or one.name in names) and one.alone in ("", database):
                noticed, said = tried(one, database, seconds)
                count += not noticed
                print(f"{'noticed' if noticed else 'MISSED'}  {one.name}, {said}", flush=True)
    return count


def tried(mutation: Mutation, database: str, seconds: float) -> tuple[bool, str]:
    """Whether the crash test fails, and what it says."""
    with TemporaryDirectory() as name:
        folder = Path(name) / "copy"
        shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*_NOT_COPIED))
        file = folder / mutation.file
        file.write_text(mutated(mutation, file.read_text()))
        command = ["tests.bench.crash", database, "--seconds", str(seconds)]
        if mutation.moment:
            command = ["pytest", "-q", "-p", "no:cacheprovider", "-k", database, mutation.moment]
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=seconds + SLACK_SECONDS,
        )
    said = (done.stdout + done.stderr).strip().splitlines()
    if mutation.moment:
        return done.returncode == 1, said[-1]  # pytest's own: some tests failed
    noticed = done.returncode == 1 and any(line.startswith(database) for line in said)
    return noticed, " | ".join(said[:2]) if noticed or not done.returncode else said[-1]


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty one; raises PostgresMissingError."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/profiler.db"
    else:
        with running() as server:
            yield server.create_database()


def _show(result: Result) -> None:
    """How far it is, on a terminal."""
    if sys.stderr.isatty():
        print(f"\r{result}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
