"""What a fault loses, and what it costs, for as long as it is to last.

    make bench-faults
    make bench-faults ARGS="'network cut' --cut 10m"

Each is made with real processes, as `tests/end_to_end/faults` tells; the collector samples the
whole machine with its defaults, but drains every second. `stored after` is the time from the end of
the fault until all that was sampled before is stored; the rest is the collector's: CPU time in % of
one CPU from the beginning of the fault to then, its memory at most, and the most that was in its
spool. What a killed collector took is read from the kernel's counters, which outlive it.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from profiler.timerange import SECOND, parse_duration
from tests.bench.report import Figure, Report, report
from tests.bench.workloads import MissingError
from tests.bench.workloads.workload import built
from tests.end_to_end.conftest import SPLIT
from tests.end_to_end.faults.node import Outcome
from tests.end_to_end.faults.rows import ROWS

CUT = "10s"
OPTIONS = ("--interval", "1s")
LINE = "{:<24} {:>9} {:>9} {:>9} {:>22} {:>13} {:>7} {:>9} {:>11}".format
HEADER = ("fault", "taken", "stored", "lost", "by cause", "stored after", "CPU", "memory", "spool")


def main(arguments: Sequence[str] = ()) -> None:
    options = parsed(arguments)
    seconds = parse_duration(options.cut) / SECOND
    print(LINE(*HEADER))
    with TemporaryDirectory() as folder, report("bench-faults") as kept:
        root = Path(folder)
        root.chmod(0o755)
        try:
            program = built(root, "split", "gcc", "-O1", "-o", "split", SPLIT)
        except MissingError as error:
            print(f"skipped: {error}")
            return
        for number, name in enumerate(options.faults):
            own = root / str(number)
            own.mkdir()
            show(name, ROWS[name](own, program, seconds, OPTIONS), kept)


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-faults")
    parser.add_argument("faults", nargs="*", default=[*ROWS], metavar="FAULT", help=str([*ROWS]))
    parser.add_argument("--cut", default=CUT, help="how long each lasts")
    options = parser.parse_args(arguments)
    if unknown := set(options.faults) - set(ROWS):
        parser.error(f"no fault {', '.join(unknown)}: there are {', '.join(ROWS)}")
    return options


def show(name: str, found: Outcome, kept: Report) -> None:
    causes = ", ".join(f"{cause} {number:,}" for cause, number in found.losses.items() if number)
    print(
        LINE(
            name,
            f"{found.taken:,}",
            f"{found.stored:,}",
            f"{found.lost:,}",
            causes or "none",
            f"{found.recovery_s:.1f} s",
            "-" if found.cpu_percent is None else f"{found.cpu_percent:.1f} %",
            f"{found.peak_mb:.0f} MiB",
            f"{found.spool_bytes / 1024:.0f} KiB",
        ),
        flush=True,
    )
    unaccounted = abs(found.taken - found.accounted) + abs(found.stored - found.shown)
    unaccounted += abs(found.taken - found.stored - found.lost)
    kept.add(
        Figure(name, "unaccounted samples", unaccounted, "samples", at_most=0),
        Figure(name, "lost", found.lost, "samples"),
        Figure(name, "stored after", found.recovery_s, "s"),
        Figure(name, "memory", found.peak_mb, "MiB"),
        Figure(name, "spool", found.spool_bytes, "bytes"),
    )
    if found.cpu_percent is not None:
        kept.add(Figure(name, "CPU of the collector", found.cpu_percent, "% of a CPU"))


if __name__ == "__main__":
    main(sys.argv[1:])
