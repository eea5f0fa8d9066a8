"""What continuous profiling costs, beside bcc's `profile` and `perf record --call-graph dwarf`.

    make bench-collector ARGS="--seconds 20 --rounds 1"
    make bench-collector ARGS="crowded mapped --rounds 1"

Python, node and PostgreSQL under pgbench keep two CPUs busy. The profilers sample the machine in
turns, each at 99 Hz by the kernel's clock, with turns of equal length and without a profiler among
them; all at once, each would sample the others and wait for them. Each is left to settle first: the
collector for the 75 s that count as its start, with an empty folder of tables: reading what is
mapped, by children of low priority beside two busy programs, takes a minute. It is the real
`profiler collect`, and sends to a real `profiler serve`, whose cost is not counted. On other nodes
than the usual one (`nodes.py`) perf walks by frame pointers (`-g`), and the collector is to stay
within its own ceilings.

    agent      user and system time of the profiler's processes, in % of one CPU
    kernel     time in timer interrupts, where samples are taken, beyond that without a profiler: it
               is charged to what was interrupted, so no process's time shows it
    together   the sum
    naming     at the end: bcc names and prints what it counted, `perf script` walks the stacks and
               names them; the collector does it all the time
    BPF        the part of `kernel` that the kernel's statistics of BPF programs tell
    slower     what the busy programs do in a second of their CPU time, compared with turns without
               a profiler, with the standard error over programs and turns: the whole effect, noisy
    RSS, PSS   of the profiler's processes together after the turn; at start, the peak before it
"""

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from math import sqrt
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory

from collector.config import default_max_cpu
from tests.bench import bpf, profilers
from tests.bench.interrupts import Interrupts
from tests.bench.load import busy
from tests.bench.nodes import NODES, Node
from tests.bench.profilers import Profiler
from tests.bench.report import Figure, Report, report
from tests.bench.turns import Turn, Turns
from tests.bench.workloads import MissingError
from tests.processes import answers, eventually, free_address, running

SECONDS, ROUNDS = 30.0, 2
START_SECONDS = 75.0
MAX_CPU, MAX_RSS_MB, MAX_START_MB = 1.0, 150.0, 250.0
MAX_MEMORY_MB = 400.0
"""The default of --max-memory."""
USUAL = "busy"

NONE, OURS, BCC, PERF = "none", "profiler collect", "bcc profile", "perf record"
ROW = "{:<17} {:>6} {:>7} {:>9} {:>7} {:>6} {:>15} {:>6} {:>6} {:>14}".format
HEADER = ("profiler", "agent", "kernel", "together", "naming", "BPF", "slower")
MEMORY = ("RSS", "PSS", "at start")


def main(arguments: Sequence[str] = ()) -> None:
    options = parsed(arguments)
    if os.geteuid() != 0:
        print("skipped: needs root")
        return
    # A shell starts its background jobs with SIGINT ignored, which ends what is measured.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with ExitStack() as opened:
        folder = Path(opened.enter_context(TemporaryDirectory()))
        folder.chmod(0o755)  # PostgreSQL runs as another user
        try:
            server = opened.enter_context(served(folder))
            opened.enter_context(bpf.statistics())
            interrupts = opened.enter_context(Interrupts(folder))
            load = opened.enter_context(busy(Path(sys.executable), folder))
        except MissingError as error:
            print(f"skipped: {error}")
            return
        turns = Turns(folder, load, interrupts, options.seconds)
        kept = opened.enter_context(report("bench-collector"))
        for node in map(NODES.__getitem__, options.nodes):
            print(f"\n{node.name}: {node.says}")
            with node.start(folder):
                taken = taken_turns(turns, compared(server, folder, node), options.rounds)
            print_table(taken)
            add_figures(node, taken, kept)


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-collector")
    parser.add_argument("nodes", nargs="*", default=["busy"], metavar="NODE", help=str([*NODES]))
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each turn")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args(arguments)
    if unknown := set(options.nodes) - set(NODES):
        parser.error(f"no node {' '.join(unknown)}: there are {' '.join(NODES)}")
    return options


def compared(server: str, folder: Path, node: Node) -> list[Profiler]:
    ours = profilers.ours(server, folder / "collect.log", node.events)
    usual = node.name == USUAL
    perf = profilers.perf("dwarf") if usual else profilers.perf("fp", node.perf_events)
    return [
        Profiler(NONE, profilers.nothing, settle_seconds=2),
        Profiler(OURS, ours, settle_seconds=START_SECONDS),
        Profiler(BCC, profilers.bcc, settle_seconds=6, names_at_end=True),
        Profiler(PERF, perf, settle_seconds=6, names_at_end=True),
    ]


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A server for the collector to send to: its gRPC address."""
    http, grpc = free_address(), free_address()
    database = f"sqlite:///{folder / 'server.db'}"
    log = folder / "serve.log"
    with running("serve", "--http", http, "--grpc", grpc, "--database", database, log=log):
        eventually(lambda: answers(f"http://{http}/readyz"), "the server answers", log=log)
        yield grpc


def taken_turns(turns: Turns, compared: Sequence[Profiler], rounds: int) -> dict[str, list[Turn]]:
    """In rounds, so that what changes on the machine meanwhile meets each of them."""
    taken: dict[str, list[Turn]] = {}
    for number in range(1, rounds + 1):
        for profiler in compared:
            print(f"round {number} of {rounds}: {profiler.name}", file=sys.stderr)
            try:
                taken.setdefault(profiler.name, []).append(turns.take(profiler))
            except MissingError as error:
                print(f"{profiler.name} is skipped: {error}")
    return {name: turns for name, turns in taken.items() if turns}


def print_table(taken: dict[str, list[Turn]]) -> None:
    print("in % of one CPU; MiB")
    print(ROW(*HEADER, *MEMORY))
    for name, turns in taken.items():
        slower, error = slower_percent(turns, taken[NONE])
        memory = [f"{max(turn.memory[kind] for turn in turns):.0f}" for kind in (0, 1)]
        start = [f"{max(turn.start_memory[kind] for turn in turns):.0f}" for kind in (0, 1)]
        print(
            ROW(
                name,
                f"{percent(turn.agent for turn in turns):.2f}",
                f"{kernel_percent(turns, taken[NONE]):.2f}",
                f"{together(turns, taken[NONE]):.2f}",
                f"{percent(turn.naming for turn in turns):.2f}",
                f"{percent(turn.bpf for turn in turns):.2f}",
                f"{slower:+.2f} ± {error:.2f} %",
                *memory,
                " / ".join(start),
            )
        )


def percent(parts: Iterator[float]) -> float:
    return 100 * mean(parts)


def kernel_percent(turns: list[Turn], without: list[Turn]) -> float:
    ticks = percent(turn.interrupts for turn in without)
    return percent(turn.interrupts for turn in turns) - ticks


def together(turns: list[Turn], without: list[Turn]) -> float:
    """Of the processes and of the kernel, while samples are taken."""
    return percent(turn.agent for turn in turns) + kernel_percent(turns, without)


def slower_percent(turns: list[Turn], without: list[Turn]) -> tuple[float, float]:
    """Of all programs and turns, and the standard error of the mean."""
    usual = {name: mean(turn.pace[name] for turn in without) for name in without[0].pace}
    found = [100 * (1 - turn.pace[name] / usual[name]) for turn in turns for name in usual]
    return mean(found), stdev(found) / sqrt(len(found))


def add_figures(node: Node, taken: dict[str, list[Turn]], kept: Report) -> None:
    if OURS not in taken:
        return
    ours, none = taken[OURS], taken[NONE]
    if node.name != USUAL:
        add_ceilings(node, ours, none, kept)
        return
    rss, start = (
        max(turn.memory[0] for turn in ours),
        max(turn.start_memory[0] for turn in ours),
    )
    kept.add(
        Figure(OURS, "agent", percent(turn.agent for turn in ours), "% of a CPU", at_most=MAX_CPU),
        Figure(OURS, "kernel", kernel_percent(ours, none), "% of a CPU"),
        Figure(OURS, "RSS", rss, "MiB", at_most=MAX_RSS_MB),
        Figure(OURS, "PSS", max(turn.memory[1] for turn in ours), "MiB"),
        Figure(OURS, "RSS at start", start, "MiB", at_most=MAX_START_MB),
    )
    for name, named in ((BCC, True), (PERF, False), (PERF, True)):
        if name in taken:
            theirs = together(taken[name], none)
            theirs += named * percent(turn.naming for turn in taken[name])
            kept.add(beside(name + " with naming" * named, together(ours, none), theirs))


def add_ceilings(node: Node, ours: list[Turn], none: list[Turn], kept: Report) -> None:
    """CPU and memory against the defaults of --max-cpu and --max-memory."""
    name, rss = f"{OURS}, {node.name}", max(turn.memory[0] for turn in ours)
    start = max(turn.start_memory[0] for turn in ours)
    cpu = percent(turn.agent for turn in ours) + percent(turn.bpf for turn in ours)
    kept.add(
        Figure(name, "agent and BPF", cpu, "% of a CPU", at_most=default_max_cpu()),
        Figure(name, "kernel", kernel_percent(ours, none), "% of a CPU"),
        Figure(name, "RSS", rss, "MiB", at_most=MAX_MEMORY_MB),
        Figure(name, "RSS at start", start, "MiB"),
    )


def beside(other: str, ours: float, theirs: float) -> Figure:
    what = f"agent and kernel, beside {other}"
    return Figure(OURS, what, ours, "% of a CPU", None, theirs, other, theirs)


if __name__ == "__main__":
    main(sys.argv[1:])
