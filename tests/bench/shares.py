"""The self share of functions, beside `perf record --call-graph dwarf` of the same run.

Both sample the same processes at the same time, each by its own timer. Functions of files are told
by the file and the address where they begin, since names differ: demangled in another way, or
another alias of the same address. What has no symbol is told by its page of 4 KiB, the kernel's
and compiled code by name. Of inlined functions the one that they were put into counts, on both
sides; perf knows no Python frames, so the native function that runs them counts.
"""

import math
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from collector.elf.code import Code
from collector.elf.file import read_elf
from collector.elf.source import of_descriptor
from profiler.model import Frame, Kind
from tests.bench import perf
from tests.bench.named import UNKNOWN
from tests.bench.product import Stack, Tree, Watch
from tests.bench.report import Figure, Report
from tests.bench.sampling import settle
from tests.bench.workloads import MissingError, Workload, all_workloads

FREQUENCY_HZ = 999
SECONDS = 10.0
MAX_POINTS = 2.0
LEAST_SHARE = 1.0
PAGE_BITS = 12

NAMES = ("sqlite3", "gcc", "c++", "node")
ROW = "{:<20} {:>7} {:>7} {:>9} {:>6} {:>6}   {:<10}   {}".format

Place = tuple[str, int | str]
"""A function: its file and its address there, or its name; or a page of a file."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Of one function's shares, in percent, and the standard error that chance gives it."""

    name: str
    ours: float
    perf: float
    error: float

    @property
    def points(self) -> float:
        return abs(self.ours - self.perf)


def measure(folder: Path, kept: Report) -> None:
    """A row a program: the function whose share differs most."""
    print(f"\nSelf share by function beside perf, {SECONDS:g} s at {FREQUENCY_HZ} Hz, in points")
    print(
        ROW("program", "samples", "perf's", "functions", "worst", "error", "demand met", "function")
    )
    for workload in _chosen():
        try:
            ours, theirs, names = _sampled(workload, folder)
        except MissingError as error:
            print(f"{workload.name:<20} skipped: {error}", flush=True)
            continue
        found = differences(ours, theirs, names)
        worst = max(found, key=lambda difference: difference.points)
        figure = Figure(workload.name, "shares", worst.points, "points", at_most=MAX_POINTS)
        met = kept.add(figure)
        text = f"{worst.name}: {worst.ours:.1f} %, perf {worst.perf:.1f} %"
        counts = ours.total(), theirs.total(), len(found)
        points = f"{worst.points:.1f}", f"{worst.error:.1f}"
        print(ROW(workload.name, *counts, *points, met, text), flush=True)


def _chosen() -> list[Workload]:
    """These, and the distribution's Python."""
    everything = {workload.name: workload for workload in all_workloads()}
    pythons = [name for name in everything if name.endswith("-distro")]
    return [everything[name] for name in (*NAMES, *pythons[:1])]


def _sampled(
    workload: Workload, folder: Path
) -> tuple[Counter[Place], Counter[Place], dict[Place, str]]:
    tree, recorded = Tree(), folder / "perf.data"
    with workload.start(folder) as roots:
        tree.begin(roots)
        pids = tree.alive()
        with Watch(
            tree, FREQUENCY_HZ, folder / "tables", whole_machine=False, beside=False
        ) as watch:
            settle(watch)
            with perf.recording(pids, FREQUENCY_HZ, recorded):
                # A drain ends at once, and takes its time then.
                start = time.monotonic_ns()
                watch.drain()
                time.sleep(SECONDS)
                end = time.monotonic_ns()
                stacks = watch.drain().dwarf
            places = Places()
            ours = places.of_stacks(stacks)
            # While it runs, so that perf finds its map of compiled functions.
            theirs = places.of_perf(perf.parse(perf.script(recorded), start, end))
    return ours, theirs, places.names


class Places:
    """Where samples fell, told in the same way of both; `names` has what to call them."""

    def __init__(self) -> None:
        self.names: dict[Place, str] = {}
        self._codes: dict[str, Code] = {}

    def of_perf(self, samples: Iterable[perf.Sampled]) -> Counter[Place]:
        return Counter(self._named(self._of_perf(sample), sample.symbol) for sample in samples)

    def of_stacks(self, stacks: Iterable[Stack]) -> Counter[Place]:
        found: Counter[Place] = Counter()
        for frames, count in stacks:
            leaf = physical_leaf(frames)
            found[self._named(_of_frame(leaf), leaf.function)] += count
        return found

    def _named(self, place: Place, name: str) -> Place:
        self.names.setdefault(place, name)
        return place

    def _of_perf(self, sample: perf.Sampled) -> Place:
        if sample.file.startswith("[") or sample.offset is None or ".map" in sample.file:
            return "", sample.symbol
        name = Path(sample.file).name
        address = self._code(sample.file).address_of(sample.offset) or 0
        if sample.symbol == UNKNOWN:
            return f"{name} page", address >> PAGE_BITS
        return name, address - sample.at

    def _code(self, path: str) -> Code:
        if path not in self._codes:
            with Path(path).open("rb") as file:
                self._codes[path] = Code(read_elf(of_descriptor(file.fileno())))
        return self._codes[path]


def _of_frame(frame: Frame) -> Place:
    if frame.kind is not Kind.NATIVE or not frame.address:
        return "", frame.function
    if frame.function.startswith(UNKNOWN):
        return f"{frame.binary} page", frame.address >> PAGE_BITS
    return frame.binary, frame.address


def physical_leaf(frames: tuple[Frame, ...]) -> Frame:
    """The innermost frame that was called, and is no interpreter's."""
    for frame in reversed(frames):
        if not frame.inlined and frame.kind is not Kind.PYTHON:
            return frame
    return frames[0]


def differences(
    ours: Counter[Place], theirs: Counter[Place], names: dict[Place, str]
) -> list[Difference]:
    """Of every function that has at least 1 % on either side."""
    found = []
    for place in ours.keys() | theirs.keys():
        mine, perfs = (100 * side[place] / max(side.total(), 1) for side in (ours, theirs))
        if max(mine, perfs) >= LEAST_SHARE:
            error = _standard_error(ours[place] + theirs[place], ours.total(), theirs.total())
            name = names[place] if place[0] == "" else f"{names[place]} ({place[0]})"
            found.append(Difference(name, mine, perfs, error))
    return found


def _standard_error(together: int, ours: int, theirs: int) -> float:
    """Of the difference of two shares that are the same, in points."""
    share = together / (ours + theirs)
    return 100 * math.sqrt(share * (1 - share) * (1 / max(ours, 1) + 1 / max(theirs, 1)))
