"""Python's lines, by the product: a program that spends known shares of its time in five lines."""

import re
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from profiler.model import Kind
from tests.bench.product import Stack, Tree, Watch
from tests.bench.report import Figure, Report
from tests.bench.sampling import settle
from tests.bench.workloads import runtimes
from tests.collector.unwind.python.conftest import PROGRAMS

FREQUENCY_HZ = 999
SECONDS = 4.0
MAX_POINTS = 3.0
PROGRAM = PROGRAMS / "lines.py"
ROW = "{:<20} {:>7}   {:<40} {:>7}   {}".format


def measure(folder: Path, kept: Report) -> None:
    """A row an interpreter; prints the share of each line beside what it should be."""
    wanted = known_shares(PROGRAM.read_text())
    said = " ".join(f"{share:.1f}" for share in wanted.values())
    print(f"\nPython's lines: % of five lines, known to be {said}; `worst` in points")
    print(ROW("program", "samples", "found", "worst", "demand met"))
    for name, interpreter in runtimes.pythons().items():
        found = sampled_lines(interpreter, folder)
        samples = found.total()
        shares = {line: 100 * found[line] / max(samples, 1) for line in wanted}
        worst = max(abs(shares[line] - wanted[line]) for line in wanted)
        met = kept.add(Figure(name, "lines", worst, "points", at_most=MAX_POINTS))
        texts = " ".join(f"{share:.1f}" for share in shares.values())
        print(ROW(name, samples, texts, f"{worst:.1f}", met), flush=True)


def known_shares(source: str) -> dict[int, float]:
    """Percentage by line: `range(3 * n)` takes three times as long as `range(1 * n)`."""
    parts = {
        number: int(match[1])
        for number, line in enumerate(source.splitlines(), 1)
        if (match := re.search(r"range\((\d) \* n\)", line))
    }
    return {line: 100 * part / sum(parts.values()) for line, part in parts.items()}


def sampled_lines(interpreter: Path, folder: Path) -> Counter[int]:
    tree = Tree()
    with runtimes.python(interpreter, PROGRAM)(folder) as roots:
        tree.begin(roots)
        with Watch(
            tree, FREQUENCY_HZ, folder / "tables", whole_machine=False, beside=False
        ) as watch:
            settle(watch)
            time.sleep(SECONDS)
            return by_line(watch.drain().dwarf)


def by_line(stacks: Iterable[Stack]) -> Counter[int]:
    """Samples by the line of the innermost Python frame; 0 where there is none."""
    found: Counter[int] = Counter()
    for frames, count in stacks:
        python = [frame for frame in frames if frame.kind is Kind.PYTHON]
        found[python[-1].line if python else 0] += count
    return found
