"""Processes that end before anybody looks: their first samples are all that there are."""

from pathlib import Path

from tests.bench.workloads.workload import PROGRAMS, Workload, built, command, need

TARGETS = 300

RULE = """{number}:
\t@/bin/true {number}
\t@test -n {number} && /bin/true
"""


def workloads() -> list[Workload]:
    return [
        Workload("100-a-second", command(hundred), complete=95, brief=True, pace=started),
        Workload("make", command(make), complete=95, brief=True),
    ]


def hundred(folder: Path) -> list[Path]:
    """100 processes a second of 50 ms each, 5 ms of it at work: see brief.c."""
    return [built(folder, "brief", "gcc", "-O2", "-g", "-o", "brief", PROGRAMS / "brief.c")]


def make(folder: Path) -> list[str | Path]:
    """make, which starts a command by vfork, and shells, which do too: a millisecond each."""
    rules = [RULE.format(number=number) for number in range(TARGETS)]
    text = f"all: {' '.join(map(str, range(TARGETS)))}\n" + "".join(rules)
    (folder / "Makefile").write_text(text)
    return ["sh", "-c", f"while :; do {need('make')} -s; done"]


def started(output: str, seconds: float) -> str:
    processes = int((output.split() or ["0"])[-1])
    return f"{processes / seconds:.0f} processes a second"
