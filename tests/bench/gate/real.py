"""The real commands on a real program: a build that is 20 % slower in one function must fail, and
the same build beside itself must not.

Each time all three are recorded afresh, one after another, by `profiler record --repeat 10`, and
judged by `profiler check` as it is without options.

    slower   must fail (exit 1), and name `parse`
    same     must pass (exit 0), or be inconclusive (3)
"""

import json
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.report import Figure, Report
from tests.bench.workloads.workload import built

SOURCE = Path(__file__).parents[2] / "end_to_end" / "regression.c"
SLOWER_PERCENT = 20
FUNCTION = "parse"
RUNS = 10
FREQUENCY_HZ = 1999
ROUNDS = 4_000
"""Of the program's loop: 0.6 s of a CPU a run."""

SECONDS = 600
"""That a command may take."""

_LINE = "{:>3}  {:<7} {:<14} {}".format


@dataclass(frozen=True, slots=True)
class Verdict:
    """The exit code of `profiler check`, and the functions that it names."""

    code: int
    named: tuple[str, ...]

    @classmethod
    def of(cls, baseline: Path, candidate: Path) -> "Verdict":
        sides = ("--baseline", baseline, "--candidate", candidate)
        checked = _profiler("check", *sides, "--format", "json", codes=(0, 1, 3))
        findings = json.loads(checked.stdout)["findings"]
        failed = [found for found in findings if found["failed"] and not found["excuse"]]
        return cls(checked.returncode, tuple(dict.fromkeys(one["function"] for one in failed)))

    def __str__(self) -> str:
        return f"exit {self.code}" + "".join(f" {name}" for name in self.named)


def found(verdict: Verdict) -> bool:
    return verdict.code == 1 and FUNCTION in verdict.named


def silent(verdict: Verdict) -> bool:
    return verdict.code in (0, 3)


CANDIDATES: dict[str, Callable[[Verdict], bool]] = {"slower": found, "same": silent}
"""Builds beside `same`, and whether a verdict is right."""


def measure(options: Namespace, kept: Report) -> None:
    print(
        f"{RUNS} runs a side, {options.times} times; right: {FUNCTION} is named, or nothing fails"
    )
    held = nullcontext(options.keep) if options.keep else TemporaryDirectory()
    with held as name:
        folder = Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        programs = _programs(folder)
        right = dict.fromkeys(CANDIDATES, 0)
        for number in range(1, options.times + 1):
            for candidate, verdict in _once(folder / f"{number:02}", programs).items():
                fits = CANDIDATES[candidate](verdict)
                right[candidate] += fits
                print(_LINE(number, candidate, "right" if fits else "WRONG", verdict), flush=True)
    for candidate, times in right.items():
        figure = Figure(f"real program {candidate}", "right", times, "times", options.times)
        print(f"{candidate}: right {times} times of {options.times}; met: {kept.add(figure)}")


def _programs(folder: Path) -> dict[str, Path]:
    compiler = ("gcc", "-O1", "-fno-omit-frame-pointer", SOURCE)
    slower = f"-DSLOWER={SLOWER_PERCENT}"
    return {
        "same": built(folder, "same", *compiler, "-o", "same"),
        "slower": built(folder, "slower", *compiler, slower, "-o", "slower"),
    }


def _once(folder: Path, programs: dict[str, Path]) -> dict[str, Verdict]:
    baseline = _recorded(folder / "baseline", programs["same"])
    return {
        candidate: Verdict.of(baseline, _recorded(folder / candidate, programs[candidate]))
        for candidate in CANDIDATES
    }


def _recorded(folder: Path, program: Path) -> Path:
    repeat = ("-F", FREQUENCY_HZ, "--repeat", RUNS, "-o", folder)
    _profiler("record", *repeat, "--", program, ROUNDS)
    return folder


def _profiler(*arguments: object, codes: Sequence[int] = (0,)) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "profiler", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    if done.returncode not in codes:
        sys.exit(f"profiler {arguments[0]} ended with {done.returncode}: {done.stderr.strip()}")
    return done
