"""What else is on a node that is sampled, beside two busy CPUs."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from tests.bench.workloads.workload import PROGRAMS, MissingError, built, running

READY_SECONDS = 30.0

Start = Callable[[Path], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class Node:
    """`start` makes it so for a block, and raises MissingError; `events` are what the collector
    samples, and `perf_events` what perf does to learn the same, if not CPU time alone."""

    name: str
    says: str
    start: Start
    events: tuple[str, ...] = ()
    perf_events: tuple[str, ...] = ()


@contextmanager
def _program(folder: Path, name: str, *arguments: int) -> Iterator[None]:
    """Of PROGRAMS, once it is ready."""
    own = folder / name
    own.mkdir(exist_ok=True)
    program = built(own, name, "gcc", "-O2", "-g", "-o", name, PROGRAMS / f"{name}.c")
    with running([program, *map(str, arguments)], own) as process:
        deadline = time.monotonic() + READY_SECONDS
        while "ready" not in (own / "output").read_text():
            if process.poll() is not None or time.monotonic() > deadline:
                raise MissingError(f"{name}: {(own / 'output').read_text() or 'not ready'}")
            time.sleep(0.1)
        yield


_COUNTED = ("page-faults", "context-switches", "cpu-migrations")

NODES = {
    node.name: node
    for node in (
        Node("busy", "two busy CPUs", lambda folder: nullcontext()),
        Node(
            "crowded",
            "beside 1,000 idle processes, and 200 that work for 20 ms each and are replaced",
            lambda folder: _program(folder, "crowd", 1_000, 200),
        ),
        Node(
            "mapped",
            "beside a busy process with 10,000 mappings of code",
            lambda folder: _program(folder, "mapped", 10_000),
        ),
        Node(
            "events",
            "two busy CPUs, all kinds of events at once",
            lambda folder: nullcontext(),
            ("cpu-clock", "off-cpu", *_COUNTED),
            ("sched:sched_switch", *_COUNTED),
        ),
    )
}
