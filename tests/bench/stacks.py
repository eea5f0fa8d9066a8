"""Are stacks whole, and right? One row a program, sampled by the product itself: needs root.

    make bench-stacks ARGS="python node --seconds 5"

Each program is sampled at 499 Hz by the collector's own sampler, sources and names, and at the same
time by its sampler by frame pointers. A settled program is sampled as `profiler record -p` does it,
after what it needs is loaded; a brief one, whose processes end while they are sampled, as
`profiler collect` does it: at 99 Hz on the whole machine, which already samples when the program
starts, with a drain every 10 s. There every sample counts, the first of a process too.

    complete  samples whose stack reaches the thread's root, of those with a user stack
    depth     frames of the user stack, inlined ones left out
    unnamed   frames `[unknown]…`, each as often as it was sampled: of files with a symbol table,
              the kernel, interpreters, and compilers that tell names; and of everything
    us        of BPF a sample, by the kernel's statistics; of a brief program, for the samples of
              the whole machine, with what idle CPUs cost
    fp root   of the frame-pointer walk beside it, the samples that reach the same roots

Then the Python lines of a program that spends known shares of its time in five lines, and the self
share by function beside `perf record --call-graph dwarf` of the same processes at the same time.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench import bpf, lines, shares
from tests.bench.quality import quality, reaching, roots
from tests.bench.report import Figure, Report, report
from tests.bench.sampling import Result, sampled
from tests.bench.workloads import MissingError, Workload, all_workloads

SECONDS, BRIEF_SECONDS = 3.0, 20.0
MAX_UNNAMED = 1.0
MAX_US, AT_DEPTH = 20.0, 60
"""The demand on the time of a sample is one at a depth of about 50."""

ROW = "{:<20} {:>7} {:>9} {:>6} {:>8} {:>7} {:>6}   {:>7} {:>6} {:>5}   {:<14} {}".format
HEADER = ("program", "samples", "complete", "depth", "unnamed", "of all", "us")
BESIDE = ("fp root", "depth", "us", "demands met", "cut")


def main(arguments: Sequence[str] = ()) -> None:
    options = parsed(arguments)
    if os.geteuid() != 0:
        print("skipped: needs root")
        return
    with ExitStack() as opened:
        folder = Path(opened.enter_context(TemporaryDirectory()))
        folder.chmod(0o755)  # PostgreSQL runs as another user
        opened.enter_context(bpf.statistics())
        kept = opened.enter_context(report("bench-stacks"))
        print(ROW(*HEADER, *BESIDE))
        for workload in all_workloads():
            if chosen(options.names, workload.name):
                print_row(workload, folder, options, kept)
        if chosen(options.names, "lines"):
            lines.measure(folder, kept)
        if chosen(options.names, "shares"):
            shares.measure(folder, kept)


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-stacks")
    parser.add_argument("names", nargs="*", help="begins of rows' names; `lines`, `shares`")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of a settled program")
    parser.add_argument("--brief-seconds", type=float, default=BRIEF_SECONDS)
    return parser.parse_args(arguments)


def chosen(names: Sequence[str], name: str) -> bool:
    return not names or any(name.startswith(begin) for begin in names)


def print_row(workload: Workload, folder: Path, options: argparse.Namespace, kept: Report) -> None:
    seconds = options.brief_seconds if workload.brief else options.seconds
    try:
        result = sampled(workload, folder, seconds)
    except MissingError as error:
        print(f"{workload.name:<20} skipped: {error}", flush=True)
        return
    print(ROW(workload.name, *columns(result, kept)), flush=True)
    if workload.pace:
        print(f"{'':<20} {workload.pace(result.output, result.seconds)}")


def columns(result: Result, kept: Report) -> list[str]:
    seen, workload = result.seen, result.workload
    found = quality(seen.dwarf, result.files, workload.perf_map)
    root, fp_depth = reaching(seen.fp, roots(seen.dwarf))
    us, fp_us = (
        ns / max(taken, 1) / 1000
        for ns, taken in ((seen.dwarf_ns, seen.dwarf_taken), (seen.fp_ns, seen.fp_taken))
    )
    name, fp = workload.name, "frame pointers"
    met = kept.add(
        Figure(name, "samples", found.samples, "samples"),
        Figure(name, "complete", found.complete, "%", workload.complete, None, fp, root),
        Figure(name, "depth", found.depth, "frames", None, None, fp, fp_depth),
        Figure(name, "unnamed", found.unnamed, "%", at_most=MAX_UNNAMED),
        Figure(name, "unnamed of all", found.unnamed_of_all, "%"),
        Figure(name, "us", us, "us", None, most_us(workload, found.depth), fp, fp_us),
    )
    return [
        f"{found.samples}",
        f"{found.complete:.2f} %",
        f"{found.depth:.1f}",
        f"{found.unnamed:.2f} %",
        f"{found.unnamed_of_all:.1f} %",
        f"{us:.1f}",
        f"{root:.1f} %",
        f"{fp_depth:.1f}",
        f"{fp_us:.1f}",
        met,
        ", ".join(f"{cause} {count}" for cause, count in found.cut.most_common()),
    ]


def most_us(workload: Workload, depth: float) -> float | None:
    """A brief program's first samples bring their stack along, which takes longer."""
    return None if workload.brief or depth > AT_DEPTH else MAX_US


if __name__ == "__main__":
    main(sys.argv[1:])
