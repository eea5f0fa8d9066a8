"""What names cost: for one file, and for a drain as a busy node has it.

python -m tests.bench.symbols
"""

import random
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import symbolic

from collector.labels.labeller import Labelling
from collector.processes.maps import parse_maps
from collector.sources.raw import RawDrain, RawSample
from collector.symbols.binary import Binary
from collector.symbols.builder import Builder
from collector.symbols.counters import Counters
from collector.symbols.debugfiles import DebugFiles
from collector.symbols.program import read_program
from collector.symbols.reader import Reader
from collector.symbols.symbolizer import Symbolizer

ADDRESSES = 2_000
PROCESSES = 4
STACKS = 300
SAMPLES = 2_000
DEPTH = 30
KERNEL_DEPTH = 8
HOT_ADDRESSES = 1_500
"""That the stacks of one drain are made of."""
DRAIN_SECONDS = 10
ROUNDS = 20


def main() -> None:
    print(f"{ADDRESSES:,} addresses of one file; memory is what this process has gained")
    print(f"  {'':24} {'read':>8} {'tables':>9} {'cold':>8} {'warm':>8} {'memory':>8}")
    with Builder() as builder:
        nowhere = Path("/nonexistent")
        reader = Reader(builder, DebugFiles(nowhere, nowhere), None, Counters())
        for path in files():
            measure_file(reader, path)
    measure_drain()


def files() -> Iterator[Path]:
    """The C library, node, Go's own tool, and a large shared object with DWARF (of the package
    `symbolic`)."""
    with_libc = Path("/proc/self/maps").read_text().split()
    yield next(Path(word) for word in with_libc if "/libc.so" in word)
    if node := shutil.which("node", path="/usr/bin:/usr/local/bin"):
        yield Path(node)
    if go := shutil.which("go"):
        yield Path(go).resolve()
    yield from Path(str(symbolic.__file__)).parent.glob("*.so")


def measure_file(reader: Reader, path: Path) -> None:
    choose = random.Random(1)
    before = resident_bytes()
    with path.open("rb") as file:
        started = time.perf_counter()
        program = read_program(file.fileno(), path.name)
        binary = reader.read(program)
        read_ms = (time.perf_counter() - started) * 1e3
    code = max(program.elf.executable(), key=lambda segment: segment.size)
    addresses = [code.address + choose.randrange(code.size) for _ in range(ADDRESSES)]
    cold, warm = (timed(binary, addresses) for _ in range(2))
    print(
        f"  {path.name:24} {read_ms:5.0f} ms {binary.size / 1e6:6.1f} MB {cold:5.1f} µs"
        f" {warm:5.2f} µs {(resident_bytes() - before) / 1e6:5.1f} MB"
    )


def timed(binary: Binary, addresses: list[int]) -> float:
    """Microseconds an address."""
    started = time.perf_counter()
    for address in addresses:
        binary.answer(address)
    return (time.perf_counter() - started) / len(addresses) * 1e6


def measure_drain() -> None:
    before = resident_bytes()
    with sleeping_processes() as pids:
        raw = drain(pids)
        symbolizer = Symbolizer(Labelling("bench"), patience_seconds=600)
        times_ms = []
        for _ in range(1 + ROUNDS):
            started = time.perf_counter(), time.process_time()
            named = symbolizer.symbolize(raw)
            times_ms.append((time.perf_counter() - started[0]) * 1e3)
        cpu_s = time.process_time() - started[1]
        symbolizer.close()
    frames = sum(len(profile.frames) for profile in named.profiles)
    print(
        f"a drain of {SAMPLES:,} samples, {STACKS} stacks of {DEPTH} + {KERNEL_DEPTH} frames,"
        f" {PROCESSES} processes, {frames:,} frames in its profiles"
    )
    print(f"  first                    {times_ms[0]:7.1f} ms (files and kernel symbols are read)")
    print(f"  then, median of {ROUNDS}       {statistics.median(times_ms[1:]):7.1f} ms")
    print(f"  of one CPU, every {DRAIN_SECONDS} s   {cpu_s / DRAIN_SECONDS:9.3%}")
    print(f"  memory gained            {(resident_bytes() - before) / 1e6:7.1f} MB")


@contextmanager
def sleeping_processes() -> Iterator[list[int]]:
    """Python processes with numpy's and the standard library's files mapped."""
    script = "import numpy, ssl, sys; print(flush=True); sys.stdin.read()"
    pipe = subprocess.PIPE
    children = [
        subprocess.Popen([sys.executable, "-c", script], stdin=pipe, stdout=pipe)
        for _ in range(PROCESSES)
    ]
    try:
        for child in children:
            assert child.stdout is not None
            child.stdout.readline()
        yield [child.pid for child in children]
    finally:
        for child in children:
            child.communicate()


def drain(pids: list[int]) -> RawDrain:
    choose = random.Random(1)
    kernel = [0xFFFFFFFF81000000 + choose.randrange(1 << 24) for _ in range(200)]
    counts = [1 + SAMPLES // STACKS] * STACKS
    samples = []
    for pid in pids:
        mappings = [
            mapping
            for mapping in parse_maps(Path(f"/proc/{pid}/maps").read_bytes())
            if not mapping.anonymous and mapping.end - mapping.start > 100_000
        ]
        hot = [
            choose.randrange(mapping.start, mapping.end)
            for mapping in choose.choices(mappings, k=HOT_ADDRESSES // PROCESSES)
        ]
        for _ in range(STACKS // PROCESSES):
            user = tuple(choose.choices(hot, k=DEPTH))
            samples.append(
                RawSample(
                    pid, "python", user, tuple(choose.choices(kernel, k=KERNEL_DEPTH)), counts.pop()
                )
            )
    taken = sum(sample.count for sample in samples)
    return RawDrain(0, DRAIN_SECONDS * 10**9, 10**7, taken, samples=tuple(samples))


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    main()
