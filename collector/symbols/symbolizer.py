"""From what a kernel program counted to profiles: addresses become frames, samples find labels.

    symbolizer = Symbolizer("node-a")
    drain = symbolizer.symbolize(raw)

Every sample of the raw drain is in one profile of the drain: what has no name is shown as
`[unknown]`, with as much of its place as is known.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from collector.processes.cache import Process, ProcessCache
from collector.processes.labels import process_labels
from collector.processes.procfs import ProcFs
from collector.processes.text import printable
from collector.processes.vdso import read_vdso
from collector.pyspy.placement import Sample, Sighting, place, runs_python
from collector.sources.raw import RawDrain, RawSample
from collector.symbols.addresses import Addresses, Memo, NamePython, without_python
from collector.symbols.binaries import Binaries
from collector.symbols.builder import Builder
from collector.symbols.counters import Counters
from collector.symbols.debugfiles import DebugFiles
from collector.symbols.debuginfod import Debuginfod, Settings
from collector.symbols.kernel import KernelSymbols
from collector.symbols.perfmap import PerfMaps
from collector.symbols.reader import Reader
from collector.unwind.python.stacks import Entry
from profiler.clock import Clock, SystemClock
from profiler.model import CPU, Drain, Frame, Kind, Labels, ProfileBuilder

PATIENCE_SECONDS = 5.0
"""In one drain for files that were not read before. On a node with 30 libraries and a node.js
that takes 1 s, once; what is left over is named from the next drain on."""


class Symbolizer:
    """Keeps what it has learnt of processes and files from drain to drain, within bounds.

    `processes` is to be told what processes do, for those that have ended when their samples
    arrive.
    """

    def __init__(
        self,
        host_name: str,
        proc: Path = Path("/proc"),
        *,
        sys: Path = Path("/sys"),
        debug: Path = Path("/usr/lib/debug"),
        debuginfod: Settings | None = None,
        clock: Clock | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self.counters = Counters()
        self._host_name = host_name
        self._clock = clock or SystemClock()
        self._patience_ns = int(patience_seconds * 1e9)
        procfs = ProcFs(proc)
        self.processes = ProcessCache(procfs)
        self._builder = Builder()
        self._debuginfod = (
            Debuginfod(debuginfod, self._clock, self.counters.debuginfod) if debuginfod else None
        )
        reader = Reader(self._builder, DebugFiles(proc, debug), self._debuginfod, self.counters)
        self._binaries = Binaries(proc, reader, self.counters, self._clock, read_vdso())
        self._perf_maps = PerfMaps(procfs)
        self._kernel = KernelSymbols(proc, sys, self._clock)

    @property
    def kernel_problem(self) -> str:
        """Why kernel functions have no names, in one line with the next step; "" if they have."""
        return self._kernel.problem

    def symbolize(
        self,
        raw: RawDrain,
        name_python: NamePython = without_python,
        sightings: Mapping[int, Sighting] | None = None,
    ) -> Drain:
        """The profiles of a drain, one for each set of labels. Never raises for what processes
        do, or have mapped. `sightings` are what py-spy saw of processes."""
        self._kernel.refresh()
        self._binaries.deadline_ns = self._clock.monotonic_ns() + self._patience_ns
        builders: defaultdict[Labels, ProfileBuilder] = defaultdict(ProfileBuilder)
        for process, sample in self._named(raw, name_python, sightings or {}):
            labels = process_labels(self._host_name, process, sample.thread)
            builders[labels].add(sample.frames, sample.count, sample.count * raw.period_ns)
        self._builder.rest()
        return _drain(self._host_name, raw, builders)

    def close(self) -> None:
        """Ends the child process that reads files, and forgets everything."""
        self._builder.close()
        if self._debuginfod:
            self._debuginfod.close()
        self._binaries.clear()

    def _named(
        self, raw: RawDrain, name_python: NamePython, sightings: Mapping[int, Sighting]
    ) -> Iterator[tuple[Process, Sample]]:
        """Every sample of `raw` with its process."""
        kernel: Memo[int] = Memo(self._kernel.answer, self.counters)
        programs: dict[tuple[int, int], tuple[Process, Memo[Entry]]] = {}
        of_python: defaultdict[int, list[Sample]] = defaultdict(list)
        spied: dict[int, Process] = {}
        for counted in raw.samples:
            pid, program = counted.pid, (counted.pid, counted.time_ns)
            if program not in programs:
                programs[program] = self._look_at(*program, name_python)
            process, user = programs[program]
            thread = printable(counted.thread_name)
            sample = Sample(thread, _stack(counted, thread, user, kernel), counted.count)
            if pid in sightings and runs_python(sample.frames):
                of_python[pid].append(sample)
                spied[pid] = process
            else:
                yield process, sample
        for pid, samples in of_python.items():
            room = sightings[pid].room(raw.duration_ns, raw.period_ns)
            for sample in place(samples, sightings[pid], room):
                self.counters.spied["python" if sample.spied else "native"] += sample.count
                yield spied[pid], sample

    def _look_at(
        self, pid: int, time_ns: int, name_python: NamePython
    ) -> tuple[Process, Memo[Entry]]:
        process = self.processes.at(pid, time_ns)
        addresses = Addresses(process, self._binaries, self._perf_maps, name_python)
        return process, Memo(addresses.answer, self.counters)


def _stack(
    sample: RawSample, thread: str, user: Memo[Entry], kernel: Memo[int]
) -> tuple[Frame, ...]:
    """Root first. A caller's address is the one that it returns to, which may be the first of the
    next line or function: its call lies before it. The leaf's address is where it stands."""
    stack = [Frame(thread, kind=Kind.THREAD)]
    if sample.truncated:
        stack.append(Frame(f"[truncated: {sample.truncated}]", kind=Kind.MARKER))
    for entry in sample.user[:0:-1]:
        stack += user[max(entry - 1, 0) if isinstance(entry, int) else entry]
    stack += user[sample.user[0]] if sample.user else ()
    for address in sample.kernel[:0:-1]:
        stack += kernel[max(address - 1, 0)]
    stack += kernel[sample.kernel[0]] if sample.kernel else ()
    return tuple(stack)


def _drain(host_name: str, raw: RawDrain, builders: dict[Labels, ProfileBuilder]) -> Drain:
    profiles = tuple(
        builder.build(
            CPU,
            period=raw.period_ns,
            start_ns=raw.start_ns,
            duration_ns=raw.duration_ns,
            labels=labels,
        )
        for labels, builder in builders.items()
    )
    return Drain(host_name, raw.start_ns, raw.duration_ns, raw.taken, raw.losses, profiles)
