"""What sampling costs on this machine, by each program: needs root and a C compiler.

    python -m tests.bench.kernel

Each program runs in a process of its own, which samples a program of 4,096 different stacks
(`many`), one of two (`few`) and one of a stack of 300 frames (`deep`, of which frame pointers give
127), a second at 999 Hz between drains. The columns: the time to load, what the
process weighs more after it than before, and its child while it compiled; the time of one run of
the BPF program by the kernel's own statistics, idle included; and of one drain, the wait for the
grace period included. Those of off-CPU time watch two processes that hand a byte to and fro
(`hands`), and show the time of one sleep, its stack of some 25 frames included, as the program
itself adds it up.
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from collector.kernel.loader import load
from collector.kernel.process_events import ProcessEvents
from collector.kernel.program import DWARF, FRAME_POINTERS
from collector.kernel.sampler import Sampler
from collector.kernel.stacks import WalkSaved, unwalked
from collector.processes.cache import ProcessCache
from collector.processes.procfs import ProcFs
from collector.sources.raw import RawDrain
from collector.sources.unwinding import Unwinding
from tests.bench import bpf

PROGRAMS = Path(__file__).parent.parent / "collector" / "kernel" / "programs"
CPU, OFF_CPU = "cpu", "off-cpu"
PROGRAMS_MEASURED = {
    "libbpf": ("libbpf", FRAME_POINTERS, CPU),
    "dwarf": ("libbpf", DWARF, CPU),
    "bcc": ("bcc", FRAME_POINTERS, CPU),
    "off fp": ("libbpf", FRAME_POINTERS, OFF_CPU),
    "off": ("libbpf", DWARF, OFF_CPU),
    "off 1ms": ("libbpf", DWARF, "off-cpu/min=1ms/"),
    "off 1:10": ("libbpf", DWARF, "off-cpu/sample=10/"),
}
WORKLOADS = {"many": "stacks", "few": "split", "deep": "bare"}
SLEEPING = {"hands": "pingpong"}
FREQUENCY_HZ = 999
DRAINS = 5


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
        return
    row = "{:<8} {:>8} {:>7} {:>9}   {:<6} {:>8} {:>8} {:>6} {:>8}".format
    load_columns = ("load ms", "RSS MB", "child MB")
    print(row("program", *load_columns, "stacks", "us a run", "samples", "keys", "drain ms"))
    for program in PROGRAMS_MEASURED:
        command = [sys.executable, "-m", "tests.bench.kernel", program]
        result = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        for name in workloads(program):
            print(row(program, *result["load"], name, *result[name]))


def measure(program: str) -> dict[str, tuple[str, ...]]:
    loader, call_graph, event = PROGRAMS_MEASURED[program]
    before = resident_mb()
    started = time.perf_counter()
    loaded = load(loader, call_graph=call_graph)
    load_ms = (time.perf_counter() - started) * 1000
    weight_mb = resident_mb() - before
    child_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    loaded.close()
    result: dict[str, tuple[str, ...]] = {}
    result["load"] = (f"{load_ms:.1f}", f"{weight_mb:.1f}", f"{child_mb:.0f}")
    with TemporaryDirectory() as folder, bpf.statistics():
        for name, source in workloads(program).items():
            binary = Path(folder) / source
            flags = ["-O1", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls"]
            subprocess.run(["cc", *flags, "-o", binary, PROGRAMS / f"{source}.c"], check=True)
            with subprocess.Popen([binary]) as process:
                result[name] = sample(loader, call_graph, event)
                process.kill()
    return result


def workloads(program: str) -> dict[str, str]:
    return WORKLOADS if PROGRAMS_MEASURED[program][2] == CPU else SLEEPING


def sample(loader: str, call_graph: str, event: str) -> tuple[str, ...]:
    """Microseconds a run, or a sleep; samples, keys and milliseconds of the median drain."""
    drains, times_ms = [], []
    sampler = Sampler(loader=loader, call_graph=call_graph, frequency_hz=FREQUENCY_HZ, event=event)
    with ExitStack() as opened:
        events = opened.enter_context(ProcessEvents())
        opened.enter_context(sampler)
        walk: WalkSaved = unwalked
        if sampler.unwind:
            unwinding = Unwinding(sampler.unwind, None, events, ProcessCache(ProcFs()))
            walk = opened.enter_context(unwinding).walk
        for _ in range(DRAINS):
            time.sleep(1)
            started = time.perf_counter()
            drains.append(sampler.drain(walk))
            times_ms.append((time.perf_counter() - started) * 1000)
        us_a_run = run_time_us() if event == CPU else time_a_sleep_us(drains)
    drain = drains[-1]
    median = statistics.median(times_ms)
    return f"{us_a_run:.2f}", f"{drain.taken}", f"{len(drain.samples)}", f"{median:.1f}"


def time_a_sleep_us(drains: Sequence[RawDrain]) -> float:
    return sum(one.spent_ns for one in drains) / sum(one.taken for one in drains) / 1000


def run_time_us() -> float:
    """The mean run of this process's only program."""
    (runs,) = bpf.programs().values()
    return runs.ns / runs.number / 1000


def resident_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:", 1)[1].split()[0]) / 1024


if __name__ == "__main__":
    main()
