"""Real interpreters, sampled by the real kernel: every chain of calls must be one that there is."""

import linecache
import os
import subprocess
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from collector.elf.file import read_elf
from collector.elf.source import of_descriptor
from collector.elf.symbols import SHT_DYNSYM, read_symbols
from collector.processes.cache import ProcessCache
from collector.processes.procfs import ProcFs
from collector.unwind.python import abi, loop
from collector.unwind.python.located import Locator
from collector.unwind.python.loop import Range
from collector.unwind.python.stacks import PythonFrame
from profiler.model import Frame
from tests.collector.unwind.python.conftest import PROGRAMS, Start
from tests.collector.unwind.python.harness import Harness, Sample
from tests.processes import eventually

Chain = tuple[str, ...]

FREQUENCY_HZ = 997
CHAINS_PROGRAM, LINES_PROGRAM = PROGRAMS / "chains.py", PROGRAMS / "lines.py"
WORK = [
    ["recurse"] * 21 + ["key", "leaf"],
    ["consume", "produce", "leaf"],
    ["consume", "relay", "produce", "leaf"],
    ["handle"] + ["fail"] * 6 + ["leaf"],
    ["handle", "leaf"],
    ["compare", "__init__", "leaf"],
    ["compare", "__lt__", "leaf"],
    ["drive", "outer", "inner", "leaf"],
    ["evaluate", "<module>", "leaf"],
]
ROOTS = [["<module>"], ["_bootstrap", "_bootstrap_inner", "run"]]
CHAINS = {
    tuple([*root, "main", "work", *work][:length])
    for root in ROOTS
    for work in WORK
    for length in range(len(root) + 1, len(root) + len(work) + 3)
}
BRIEF = """
import sys
def brief():
    for i in range(6_000_000):
        i * i
print("ready", flush=True)
sys.stdin.read(1)
brief()
"""
BEGINNINGS = """
def key(x):
    return x
data = list(range(50))
while True:
    sorted(data, key=key)
"""
"""Every call of `key` is a run of the loop, of some 50 ns, at the same place of the stack."""
LINE_SAMPLES = 4000
"""The share of a third is then known to 0.75 points (one standard deviation); on a machine with a
load of 12, one was off by 4.5. The shares of two lines differ by 6.7."""
TORN = {cause.name for cause in (abi.Cause.TORN, abi.Cause.READ_FAULT, abi.Cause.NOT_CODE)}
MAX_TORN = 0.01
"""Of the samples of 3.11 and 3.12: see PYTHON_TORN in bpf/python.h. Seen: 0.1 %."""


def python_frames(harness: Harness, pid: int, sample: Sample) -> list[Frame]:
    """The Python frames of a sample, outermost first."""
    found = [f for f in sample.stack.frames if isinstance(f, PythonFrame)]
    return [harness.frame(pid, frame) for frame in reversed(found)]


def until_in(harness: Harness, pid: int, function: str) -> None:
    """Waits until the main module has called this: what ran before is not in memory any more."""

    def arrived() -> bool | None:
        for sample in harness.sample(pid, 0.05, FREQUENCY_HZ, least=1):
            found = [f for f in sample.stack.frames if isinstance(f, PythonFrame)][-2:]
            answers = [harness.names.answer(pid, frame) for frame in reversed(found)]
            names = [simple(answer.frames[0]) for answer in answers]
            if names == ["<module>", function]:
                return True
        return None

    eventually(arrived, f"a sample in {function}")


def has_cframes(python: Path) -> bool:
    return python.name in ("python3.11", "python3.12")


def simple(frame: Frame) -> str:
    return frame.function.rpartition(".")[2]


def loop_ranges(pid: int) -> list[Range]:
    """The runtime addresses of the interpreter's loop."""
    process = ProcessCache(ProcFs()).refresh(pid)
    located = Locator().find(process)
    assert located
    for mapping in process.mappings:
        if "python" in mapping.name:
            with Path(os.fsdecode(mapping.path)).open("rb") as file:
                elf = read_elf(of_descriptor(file.fileno()))
                found = read_symbols(elf, SHT_DYNSYM).find([loop.NAME])
                if found:
                    ranges = loop.ranges(elf, found[loop.NAME])
                    return [(located.base + start, located.base + end) for start, end in ranges]
    raise AssertionError(f"no interpreter's loop in {process.mappings}")


def runs(sample: Sample, ranges: list[Range]) -> list[bool]:
    """For each native frame in the loop, innermost first: whether Python frames follow it."""
    frames = sample.stack.frames
    followers = [*frames[1:], 0]
    return [
        isinstance(follower, PythonFrame)
        for index, (frame, follower) in enumerate(zip(frames, followers, strict=True))
        if isinstance(frame, int)
        and any(start <= frame - (index > 0) < end for start, end in ranges)
    ]


@pytest.mark.kernel
def test_every_chain_is_one_of_the_program(python: Path, start: Start, harness: Harness) -> None:
    pid = start(python, CHAINS_PROGRAM).pid
    until_in(harness, pid, "main")
    samples = harness.settled(pid, 1, FREQUENCY_HZ)
    whole = [sample for sample in samples if sample.complete]
    ends = Counter((s.cause.name, s.python.name) for s in samples if not s.complete)
    torn = [end for end in ends if has_cframes(python) and end[0] == "COMPLETE" and end[1] in TORN]
    assert sum(ends.pop(end) for end in torn) <= MAX_TORN * len(samples)
    # A file that is met for the first time by then has no table yet.
    assert ends.pop(("NO_TABLE", "COMPLETE"), 0) <= 3
    assert not ends

    chains = [python_frames(harness, pid, sample) for sample in whole]
    found = Counter(tuple(map(simple, chain)) for chain in chains)
    assert {chain: n for chain, n in found.items() if chain not in CHAINS} == {}

    # Each caller is at a line that names the function it calls.
    calls = {(a.file, a.line, simple(b)) for chain in chains for a, b in pairwise(chain)}
    ours = [call for call in calls if call[0] == str(CHAINS_PROGRAM)]
    assert len(ours) > 10
    assert [c for c in ours if c[2] not in linecache.getline(c[0], c[1])] == []

    # Each run of the loop has its frames; only one that just begins or ends has none.
    ranges = loop_ranges(pid)
    placed = [runs(sample, ranges) for sample in whole]
    assert [p for p in placed if not all(p[1:])] == []
    assert sum(not p[0] for p in placed if p) < 0.1 * len(whole)


@pytest.mark.kernel
def test_a_run_that_just_begins_takes_no_frames_from_the_one_outside(
    python: Path, start: Start, harness: Harness
) -> None:
    """0.6 % of the samples of Debian's 3.11 fall where the CFrame is linked and not filled."""
    pid = start(python, "-c", BEGINNINGS).pid
    harness.settled(pid, 0.2, FREQUENCY_HZ)
    samples = harness.sample(pid, 1, 8 * FREQUENCY_HZ, least=1000)
    ranges = loop_ranges(pid)
    placed = [runs(sample, ranges) for sample in samples if sample.complete]
    assert len(placed) > 0.98 * len(samples) > 500
    assert [p for p in placed if not all(p[1:])] == []


@pytest.mark.kernel
def test_time_is_split_over_lines_as_the_program_does(
    python: Path, start: Start, harness: Harness
) -> None:
    pid = start(python, LINES_PROGRAM).pid
    until_in(harness, pid, "spend")
    samples = harness.settled(pid, 0.2, FREQUENCY_HZ)
    while len(samples) < LINE_SAMPLES:
        samples += harness.sample(pid, 0.5, 8 * FREQUENCY_HZ)
    leaves = [python_frames(harness, pid, sample)[-1] for sample in samples if sample.complete]
    assert len(leaves) > 0.99 * len(samples)
    text = LINES_PROGRAM.read_text().splitlines()
    parts = Counter(text[leaf.line - 1].partition("range(")[2][:1] for leaf in leaves)
    shares = {part: parts[part] / len(leaves) for part in "12345"}
    expected = {part: int(part) / 15 for part in "12345"}
    assert shares == pytest.approx(expected, abs=0.055)


@pytest.mark.kernel
def test_names_outlive_the_process(python: Path, start: Start, harness: Harness) -> None:
    """The code objects that the kernel meets are read while the process runs."""
    process = start(python, "-c", BRIEF, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin and process.stdout
    process.stdout.readline()
    eventually(lambda: harness.introduced(process.pid), "an interpreter that waits for input")
    process.stdin.write(b"go")
    process.stdin.close()
    samples = []
    while process.poll() is None:
        samples += harness.sample(process.pid, 0.1, FREQUENCY_HZ)
    frames = [f for s in samples for f in s.stack.frames if isinstance(f, PythonFrame)]
    answers = [harness.names.answer(process.pid, frame) for frame in frames]
    brief = sum(answer.frames[0].function == "brief" for answer in answers)
    assert brief > 0.8 * len(samples) > 20
    # What ran for the first time just before the end may have been too late.
    assert sum(answer.cause != "" for answer in answers) < 0.05 * len(answers)
