"""How soon a session of a whole host is there after its end, beside whatever else wants the CPUs.

    make bench ARGS=sessions
    python -m tests.bench.sessions loops --rounds 3

The real `profiler collect` and `profiler serve`; 499 Hz for 5 s. The end is that of the last drain
by the node's clock, and a session is there when `/api/v1/sessions`, asked 20 times a second, says
that it has ended. Beside nothing, beside four busy loops, and beside Python, node and PostgreSQL,
whose stacks are many.
"""

import argparse
import json
import os
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from tests.bench.load import busy
from tests.bench.report import Figure, Report, report
from tests.bench.workloads.workload import MissingError
from tests.bench.workloads.workload import running as started
from tests.processes import answers, eventually, free_address, running

ROUNDS = 5
SETTLE_SECONDS = 45.0
"""For the collector to read what is mapped: a session shares the files that it has read."""
REST_SECONDS = 3.0
LOOK_SECONDS = 0.05
PATIENCE_SECONDS = 60.0
WANTED = {"query": "cpu", "event": "cpu", "frequency": 499, "duration": "5s"}
MAX_SECONDS = 2.0
LOOPS = 4


@contextmanager
def loops(folder: Path) -> Iterator[None]:
    with ExitStack() as opened:
        for number in range(LOOPS):
            own = folder / f"loop-{number}"
            own.mkdir()
            opened.enter_context(started(["sh", "-c", "while :; do :; done"], own))
        yield


LOADS: dict[str, Callable[[Path], AbstractContextManager[object]]] = {
    "idle": nullcontext,
    "loops": loops,
    "services": lambda folder: busy(Path(sys.executable), folder),
}


def main(arguments: Sequence[str] = ()) -> None:
    options = parsed(arguments)
    if os.geteuid() != 0:
        print("skipped: needs root")
        return
    with ExitStack() as opened:
        folder = Path(opened.enter_context(TemporaryDirectory()))
        folder.chmod(0o755)  # PostgreSQL runs as another user
        kept = opened.enter_context(report("bench-sessions"))
        http = opened.enter_context(collecting(folder))
        for name in options.loads:
            own = folder / name
            own.mkdir(mode=0o755)
            try:
                with LOADS[name](own):
                    measure(http, name, options.rounds, kept)
            except MissingError as error:
                print(f"{name} is skipped: {error}")


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.sessions")
    parser.add_argument("loads", nargs="*", default=[*LOADS], metavar="LOAD", help=str([*LOADS]))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args(arguments)
    if unknown := set(options.loads) - set(LOADS):
        parser.error(f"no load {' '.join(unknown)}: there are {' '.join(LOADS)}")
    return options


@contextmanager
def collecting(folder: Path) -> Iterator[str]:
    """A server and a collector: the server's address."""
    http, grpc = free_address(), free_address()
    database = f"sqlite:///{folder / 'server.db'}"
    serve = ["serve", "--http", http, "--grpc", grpc, "--database", database]
    collect = ["collect", "--server", grpc, "--spool", str(folder / "spool")]
    with (
        running(*serve, log=folder / "serve.log"),
        running(*collect, log=folder / "collect.log"),
    ):
        eventually(lambda: answers(f"http://{http}/readyz"), "the server answers")
        yield http


def measure(http: str, name: str, rounds: int, kept: Report) -> None:
    time.sleep(SETTLE_SECONDS)
    print(f"\n{name}, load average {os.getloadavg()[0]:.1f}")
    found = []
    for _ in range(rounds):
        begun, late, said = session(http)
        found.append(late)
        print(
            f"  begun after {begun:4.1f} s, there {late:5.2f} s after its end: {said}", flush=True
        )
        time.sleep(REST_SECONDS)
    kept.add(
        Figure(name, "median after the end", median(found), "s", at_most=MAX_SECONDS),
        Figure(name, "longest after the end", max(found), "s"),
    )


def session(http: str) -> tuple[float, float, str]:
    """Seconds until it began, and from its end until it was there."""
    address = f"http://{http}/api/v1/sessions"
    asked = asked_for(address, json.dumps(WANTED).encode())
    deadline = time.monotonic() + PATIENCE_SECONDS
    while asked["open"] and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
        asked = asked_for(f"{address}/{asked['session']}")
    there = time.time()
    (host,) = asked["hosts"]
    taken, window = host["accounts"]["taken"], asked["profile"]
    said = f"{host['state']}{host['reason'] and ', '}{host['reason']}, {taken:,} samples"
    return (window["from"] - asked["asked"]) / 1000, there - window["to"] / 1000, said


def asked_for(address: str, body: bytes | None = None) -> Any:
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as response:
        return json.load(response)


if __name__ == "__main__":
    main(sys.argv[1:])
