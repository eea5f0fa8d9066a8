"""Python's frames in the stacks of Python processes, through the live source on the kernel."""

import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from collector.kernel.process_events import ProcessEvents
from collector.kernel.program import DWARF
from collector.kernel.sampler import Sampler
from collector.kernel.sampling import Sampling
from collector.labels.labeller import Labelling
from collector.sources.live import LiveSource
from collector.symbols.symbolizer import Symbolizer
from profiler.model import Drain, Frame, Kind
from tests.collector.unwind.python.conftest import interpreters

pytestmark = pytest.mark.kernel

PROGRAM = """
import sys

def leaf(n):
    return sum(range(n))

def key(x):
    return leaf(2_000)

def work():
    return sorted(range(20), key=key)

def main():
    sys.stdin.read(1)
    while True:
        work()

main()
"""
CHAIN = ("<module>", "main", "work", "key", "leaf")
LINES = {"<module>": 18, "main": 16, "work": 11, "key": 8, "leaf": 5}
DEEP = """
import sys

def leaf():
    while True: pass

def descend(n):
    return descend(n - 1) if n else leaf()

sys.setrecursionlimit(5_000)
sys.stdin.read(1)
descend({depth})
"""


@pytest.fixture(params=interpreters(), ids=str)
def python(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@contextmanager
def waiting(python: Path, program: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that begins its work when it may read."""
    with subprocess.Popen([python, "-c", program], stdin=subprocess.PIPE) as process:
        try:
            time.sleep(0.3)
            yield process
        finally:
            process.kill()


def sampled(process: subprocess.Popen[bytes], folder: Path) -> tuple[list[Drain], Drain]:
    """The first samples of its work, for which no table is there at first, and later ones."""
    assert process.stdin
    sampler = Sampler(call_graph=DWARF, frequency_hz=499, target=[process.pid])
    symbolizer = Symbolizer(Labelling("a"))
    with LiveSource(Sampling([sampler]), ProcessEvents(), symbolizer, "a", folder) as source:
        assert source.unwinding
        process.stdin.write(b"!")
        process.stdin.flush()
        first: list[Drain] = []
        end = time.monotonic() + 20
        while len(first) < 2 or (source.unwinding.stats().pending and time.monotonic() < end):
            time.sleep(0.3)
            first.extend(source.drain())
        time.sleep(0.5)
        sampler.stop()
        return first, source.drain()[0]


def stacks(drain: Drain) -> Iterator[tuple[tuple[Frame, ...], int]]:
    for profile in drain.profiles:
        for stack, samples, _ in profile.stacks():
            yield stack, samples


def python_frames(stack: tuple[Frame, ...]) -> tuple[Frame, ...]:
    return tuple(frame for frame in stack if frame.kind is Kind.PYTHON)


def test_python_frames_stand_among_the_native_ones_from_the_first_sample_on(
    python: Path, tmp_path: Path
) -> None:
    with waiting(python, PROGRAM) as process:
        first, later = sampled(process, tmp_path)
    found: Counter[tuple[str, ...]] = Counter()
    for drain in (*first, later):
        assert drain.unaccounted == 0
        for stack, samples in stacks(drain):
            chain = python_frames(stack)
            names = tuple(frame.function for frame in chain)
            found[names] += samples
            assert names == CHAIN[: len(names)]
            assert all(frame.line == LINES[frame.function] for frame in chain[:-1])
            if chain and not marked(stack):
                functions = [frame.function for frame in stack]
                assert functions.index("_start") < functions.index("<module>")
                assert "_PyEval_EvalFrameDefault" in functions
    assert found[()] < 0.03 * found.total()
    assert found[CHAIN] > 0.8 * found.total()
    whole = sum(samples for stack, samples in stacks(later) if not marked(stack))
    assert whole >= 0.99 * later.taken > 20


@pytest.mark.parametrize("depth", [100, 400])
def test_a_deep_recursion_is_whole_or_says_that_it_is_not(
    depth: int, python: Path, tmp_path: Path
) -> None:
    with waiting(python, DEEP.format(depth=depth)) as process:
        first, later = sampled(process, tmp_path)
    for drain in (*first, later):
        for stack, _ in stacks(drain):
            found = [frame.function for frame in python_frames(stack)]
            if not marked(stack) and "leaf" in found:
                assert found.count("descend") == depth + 1
    whole = sum(samples for stack, samples in stacks(later) if not marked(stack))
    assert whole > 0.9 * later.taken if depth == 100 else whole == 0


def marked(stack: tuple[Frame, ...]) -> bool:
    return any(frame.kind is Kind.MARKER for frame in stack)
