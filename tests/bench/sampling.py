"""A workload from its start to its end, and what the product saw of it in between."""

import time
from dataclasses import dataclass
from pathlib import Path

from profiler.model import Kind
from tests.bench.named import Files
from tests.bench.product import Seen, Stack, Tree, Watch
from tests.bench.workloads import Workload

SETTLED_HZ, BRIEF_HZ = 499, 99
DRAIN_SECONDS = 10.0
LOOK_SECONDS = 0.05
CALM_SECONDS, MAX_SETTLING_SECONDS = 0.5, 15.0
KNOWING_SECONDS = 3.0
"""For the collector to know the machine on which a brief program then starts."""

CUT = "[truncated: "
WAITING = {"no unwind table", "new process", "unknown code", "new Python process"}


@dataclass(frozen=True, slots=True)
class Result:
    """What was seen of a workload, in which files, and what it printed."""

    workload: Workload
    seen: Seen
    files: Files
    seconds: float
    output: str


def sampled(workload: Workload, folder: Path, seconds: float) -> Result:
    """Raises MissingError where this machine cannot run it."""
    return (_brief if workload.brief else _settled)(workload, folder, seconds)


def _settled(workload: Workload, folder: Path, seconds: float) -> Result:
    """As `profiler record -p` samples it, once what it needs is loaded."""
    tree = Tree()
    with workload.start(folder) as roots:
        tree.begin(roots)
        with Watch(tree, SETTLED_HZ, folder / "tables", whole_machine=False) as watch:
            settle(watch)
            return _watched(workload, tree, watch, folder, seconds)


def _brief(workload: Workload, folder: Path, seconds: float) -> Result:
    """As `profiler collect` samples it, which runs for a while when it starts."""
    tree = Tree()
    with Watch(tree, BRIEF_HZ, folder / "tables", whole_machine=True) as watch:
        time.sleep(KNOWING_SECONDS)
        watch.drain()
        with workload.start(folder) as roots:
            tree.begin(roots)
            return _watched(workload, tree, watch, folder, seconds)


def settle(watch: Watch) -> None:
    """Returns once no stack waits for anything any more."""
    deadline = time.monotonic() + MAX_SETTLING_SECONDS
    calm = 0
    while calm < 2 and time.monotonic() < deadline:
        time.sleep(CALM_SECONDS)
        causes = {cut(stack) for stack in watch.drain().dwarf}
        calm = 0 if causes & WAITING else calm + 1


def cut(stack: Stack) -> str:
    """Why a stack does not reach its root; "" where it does."""
    marks = (frame.function for frame in stack[0] if frame.kind is Kind.MARKER)
    cuts = (mark for mark in marks if mark.startswith(CUT))
    return next(cuts, "").removeprefix(CUT).removesuffix("]")


def _watched(workload: Workload, tree: Tree, watch: Watch, folder: Path, seconds: float) -> Result:
    files, seen = Files(), Seen()
    start = time.monotonic()
    while (left := start + seconds - time.monotonic()) > 0:
        end = time.monotonic() + min(left, DRAIN_SECONDS)
        while time.monotonic() < end:
            time.sleep(LOOK_SECONDS)
            files.look_at(tree.alive())
        seen += watch.drain()
    took = time.monotonic() - start
    output = (folder / "output").read_text(errors="replace")
    return Result(workload, seen, files, took, output)
