"""From what a kernel program counted to profiles: addresses become frames, samples find labels.

    symbolizer = Symbolizer(Labelling("node-a"))
    drain = symbolizer.symbolize(raw)

Every sample of the raw drain is in one profile of the drain, or lost as `excluded` where a rule
leaves its process out: what has no name is shown as `[unknown]`, with as much of its place as is
known.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from collector.labels.labeller import Labeller, Labelling
from collector.processes.cache import Process, ProcessCache
from collector.processes.procfs import ProcFs
from collector.processes.vdso import read_vdso
from collector.pyspy.placement import Sighting
from collector.sources.raw import RawDrain
from collector.symbols.addresses import Addresses, Memo, NamePython, without_python
from collector.symbols.binaries import Binaries
from collector.symbols.builder import Builder
from collector.symbols.counters import Counters
from collector.symbols.debugfiles import DebugFiles
from collector.symbols.debuginfod import Debuginfod, Settings
from collector.symbols.forest import Forest
from collector.symbols.kernel import KernelSymbols
from collector.symbols.perfmap import PerfMaps
from collector.symbols.profiles import Profiles
from collector.symbols.reader import Reader
from collector.unwind.python.stacks import Entry
from profiler.clock import Clock, SystemClock
from profiler.model import Drain, ProfileType

PATIENCE_SECONDS = 5.0
"""In one drain for files that were not read before. On a node with 30 libraries and a node.js
that takes 1 s, once; what is left over is named from the next drain on."""


class Symbolizer:
    """Keeps what it has learnt of processes and files from drain to drain, within bounds.

    `processes` is to be told what processes do, for those that have ended when their samples
    arrive. While it is `paused`, no file is read that was not read before: what lies in it is shown
    by its address.
    """

    def __init__(
        self,
        labelling: Labelling,
        proc: Path = Path("/proc"),
        *,
        sys: Path = Path("/sys"),
        debug: Path = Path("/usr/lib/debug"),
        debuginfod: Settings | None = None,
        clock: Clock | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
        binaries: Binaries | None = None,
    ) -> None:
        """What is in `binaries`, those of another symbolizer, is not read again."""
        self.counters = Counters()
        self.paused = False
        self._host_name = labelling.host_name
        self._clock = clock or SystemClock()
        self._patience_ns = int(patience_seconds * 1e9)
        procfs = ProcFs(proc)
        self.labeller = Labeller(labelling, procfs)
        self.processes = ProcessCache(procfs, origins=self.labeller.origins)
        self._builder = Builder()
        self._debuginfod = (
            Debuginfod(debuginfod, self._clock, self.counters.debuginfod) if debuginfod else None
        )
        reader = Reader(self._builder, DebugFiles(proc, debug), self._debuginfod, self.counters)
        self.binaries = Binaries(
            proc, reader, self.counters, self._clock, read_vdso(), others=binaries
        )
        self._perf_maps = PerfMaps(procfs)
        self._kernel = KernelSymbols(proc, sys, self._clock)
        self._forests: dict[ProfileType, Forest] = {}

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
        if self._kernel.refresh():
            self._forget_trees()
        patience_ns = 0 if self.paused else self._patience_ns
        self.binaries.deadline_ns = self._clock.monotonic_ns() + patience_ns
        self.labeller.begin_drain()
        label = self.labeller.labels
        forest = self._forest(raw.type)
        look_at = partial(self._look_at, name_python, forest)
        profiles = Profiles(label, raw.period, look_at, forest, sightings or {})
        try:
            for sample in raw.samples:
                profiles.add(sample)
            profiles.place_sighted(raw.duration_ns, self.counters)
        except Exception:
            forest.forget()  # or what it has counted would be counted again with the next one
            raise
        finally:
            self._builder.close()
        taken = forest.take(raw.type, raw.period, raw.start_ns, raw.duration_ns)
        self.counters.without_place += sum(
            profile.total_samples for profile in taken if profile.labels == self.labeller.other
        )
        losses = dict(raw.losses)
        if profiles.excluded:
            losses["excluded"] = profiles.excluded
        window = raw.start_ns, raw.duration_ns
        return Drain(self._host_name, *window, raw.taken, losses, taken, raw.type)

    def read_large_files(self, alone: Callable[[], AbstractContextManager[None]]) -> None:
        """`alone` is to be entered while one is read: it ends what else takes much memory."""
        self._builder.alone = alone

    def hurry(self, patience_seconds: float) -> None:
        """From now on files that were not read before get so long in a drain, and each of them, in
        the one that is being named too. From any thread."""
        self._patience_ns = int(patience_seconds * 1e9)
        soon_ns = self._clock.monotonic_ns() + self._patience_ns
        self.binaries.deadline_ns = min(self.binaries.deadline_ns, soon_ns)
        self._builder.hurry(patience_seconds)

    def excludes(self, pid: int) -> bool:
        """Whether a rule leaves a process out, so that nobody shall look at it closer."""
        return self.labeller.excludes(self.processes.current(pid))

    @property
    def child_pid(self) -> int | None:
        """The process that reads files, while there is one."""
        return self._builder.child_pid

    def matching(self, pids: Iterable[int], settle_seconds: float) -> list[int]:
        """Those of some processes that no rule and no matcher leaves out; what is asked of others
        about them may take so long."""
        found = [self.processes.current(pid) for pid in pids]
        self.labeller.begin_drain(settle_seconds)
        return [process.pid for process in found if not self.labeller.excludes(process)]

    def forget(self) -> None:
        """Everything that can be found again; ends the child process that reads files."""
        self._builder.close()
        self.binaries.clear()
        self._forget_trees()

    def close(self) -> None:
        self.forget()
        self.labeller.close()
        if self._debuginfod:
            self._debuginfod.close()

    def _forest(self, type: ProfileType) -> Forest:
        """Each type its own: what is not in a drain of one is forgotten after it."""
        if type not in self._forests:
            self._forests[type] = Forest(self._kernel.answer, self.counters)
        return self._forests[type]

    def _forget_trees(self) -> None:
        for forest in self._forests.values():
            forest.forget()

    def _look_at(
        self, name_python: NamePython, forest: Forest, pid: int, time_ns: int
    ) -> tuple[Process, Memo[Entry]]:
        process = self.processes.at(pid, time_ns)
        look = partial(Addresses, process, self.binaries, self._perf_maps, name_python)
        return process, forest.frames(process, look)
