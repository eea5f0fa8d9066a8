"""Samples one process, or one command from its first instruction, and what it starts."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from collector.agent import StoppableClock
from collector.config import cache_folder
from collector.delivery import Exporter
from collector.events import Event
from collector.kernel.command import Command
from collector.kernel.process_events import ProcessEvents
from collector.kernel.sampling import Sampling, sample
from collector.labels.labeller import Labelling
from collector.processes.procfs import ProcFs
from collector.sources.live import LiveSource
from collector.sources.unwinding import ATTENTIVE_REST_SECONDS
from collector.symbols.debuginfod import Settings
from collector.symbols.symbolizer import Symbolizer
from profiler.errors import UsageError
from profiler.timerange import SECOND

DRAIN_NS = SECOND
"""Often enough that samples meet the mappings that they were taken in."""

PATIENCE_SECONDS = 15.0
"""In each drain, for what it takes to walk and name the samples of a program that has just begun: a
sixth of all, where the program ends within a second. On a machine with a load of 30 on 2 CPUs, what
a node's collector waits (1 s) was too short for the first drain of half of the recordings."""

LOOK_SECONDS = 0.05
"""Between two looks at whether it has ended."""


@dataclass(slots=True)
class Recording:
    """Samples into `exporter` until what is recorded ends, `clock` is stopped or `duration_ns`
    have passed; counts samples taken, lost by cause, and the time sampled."""

    exporter: Exporter
    clock: StoppableClock
    events: Sequence[Event]
    loader: str
    call_graph: str
    py_spy: bool
    debuginfod: Settings | None
    host_name: str
    duration_ns: int
    taken: int = 0
    losses: Counter[str] = field(default_factory=Counter)
    sampled_ns: int = 0

    def command(self, arguments: Sequence[str]) -> int:
        """Runs a command; the exit code that a shell would give. One that outlives the duration
        runs on to its end, one that is left when the clock is stopped is ended."""
        with Command(arguments) as command:
            sampling = self._sampling(command.pid, on_exec=True)
            self._record(sampling, _child_ended(command.pid), command.resume)
            if not self.clock.stopped:
                command.wait()
        code = command.wait()
        return code if code >= 0 else 128 - code

    def process(self, pid: int) -> int:
        """Records a process that runs; exit code 0. Raises UsageError where there is none."""
        ended = _process_ended(pid)
        self._record(self._sampling(pid, on_exec=False), ended, lambda: None)
        return 0

    def _sampling(self, pid: int, *, on_exec: bool) -> Sampling:
        return sample(
            self.events,
            loader=self.loader,
            call_graph=self.call_graph,
            target=[pid],
            on_exec=on_exec,
        )

    def _record(
        self, sampling: Sampling, ended: Callable[[], bool], begin: Callable[[], None]
    ) -> None:
        live = LiveSource(
            sampling,
            ProcessEvents(),
            Symbolizer(
                Labelling(self.host_name),
                debuginfod=self.debuginfod,
                patience_seconds=PATIENCE_SECONDS,
            ),
            self.host_name,
            cache_folder("unwind"),
            py_spy=self.py_spy,
            rest_seconds=ATTENTIVE_REST_SECONDS,
            patience_seconds=PATIENCE_SECONDS,
        )
        with live as source:
            begin()
            end_ns = self.clock.monotonic_ns() + self.duration_ns
            due_ns = self.clock.monotonic_ns() + DRAIN_NS
            while not ended() and not self.clock.stopped and self.clock.monotonic_ns() < end_ns:
                if self.clock.monotonic_ns() >= due_ns:
                    due_ns += DRAIN_NS
                    self._keep(source)
                self.clock.sleep(LOOK_SECONDS)
            sampling.stop()
            self._keep(source)

    def _keep(self, source: LiveSource) -> None:
        drains = source.drain()
        for drain in drains:
            self.exporter.export(drain)
            self.taken += drain.taken
            self.losses.update(drain.losses)
        self.sampled_ns += drains[0].duration_ns


def _child_ended(pid: int) -> Callable[[], bool]:
    """Tells whether a child of ours has ended, and leaves its exit code to who waits for it."""
    return lambda: os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _process_ended(pid: int) -> Callable[[], bool]:
    """Tells whether the process that has this number now has ended."""
    procfs = ProcFs()
    now = procfs.stat(pid)
    if now is None:
        raise UsageError(f"no process {pid}")

    def ended() -> bool:
        found = procfs.stat(pid)
        return found is None or found.start_ticks != now.start_ticks

    return ended
