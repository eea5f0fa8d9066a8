"""The running kernel: samples as they are taken, named while their processes still run."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from collector import memory
from collector.kernel import cpus
from collector.kernel.process_events import ProcessEvents
from collector.kernel.sampler import Sampler
from collector.kernel.sampling import Sampling
from collector.kernel.stacks import unwalked
from collector.pyspy.placement import Sighting
from collector.pyspy.spying import Spying, find_program
from collector.restraint import Step
from collector.sources.raw import RawDrain
from collector.sources.unwinding import (
    LAST_PATIENCE_SECONDS,
    PATIENCE_SECONDS,
    REST_SECONDS,
    Unwinding,
)
from collector.symbols.addresses import without_python
from collector.symbols.symbolizer import Symbolizer
from collector.unwind.later import SavedStack, Walk
from profiler.model import CPU, Drain, ProfileType

logger = logging.getLogger(__name__)


class LiveSource:
    """A SampleSource over `sampling`, whose drains `symbolizer` names; closes both.

    `events` tells what processes did meanwhile, so that those which have ended when their samples
    are drained still have their names. Where `sampling` walks stacks by call frame information,
    `unwind_folder` keeps its tables between runs; None: nothing is kept. There, `py_spy` says
    whether py-spy is asked for the frames of interpreters that the sampler's program does not know.
    `beside` is the unwinding of another source, whose maps `sampling` shares: it serves both.

    `idle` counts the samples that fell on idle CPUs, `incomplete` those whose stack does not reach
    its root, by cause; `spent_ns` is the time of the kernel programs, on all CPUs together, and
    `lost_ns` the off-CPU time of samples lost, as far as it is known. A drain that cannot be named
    because of a mistake in the naming is lost under `symbols_failed`; the sampling goes on.
    """

    def __init__(
        self,
        sampling: Sampling,
        events: ProcessEvents,
        symbolizer: Symbolizer,
        host_name: str,
        unwind_folder: Path | None = None,
        *,
        py_spy: bool = True,
        beside: Unwinding | None = None,
        rest_seconds: float = REST_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
        last_patience_seconds: float = LAST_PATIENCE_SECONDS,
    ) -> None:
        """`rest_seconds` pass at most until a new process is told to the kernel; so long a drain,
        and the last one, waits for the tables of stacks that could not be walked yet."""
        self._rest_seconds = rest_seconds
        self._patience_seconds = patience_seconds
        self._last_patience_seconds = last_patience_seconds
        self.idle = 0
        self.spent_ns = 0
        self.lost_ns = 0
        self.incomplete: Counter[str] = Counter()
        self.unwinding: Unwinding | None = None
        self.spying: Spying | None = None
        self.events = events
        self.symbolizer = symbolizer
        self._open = ExitStack()
        self._sampling = sampling
        self._host_name = host_name
        self._unwind_folder = unwind_folder
        self._py_spy = py_spy
        self._beside = beside
        self._said = ""

    @property
    def finished(self) -> bool:
        return False

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            opened.callback(self.symbolizer.close)
            # In this order no process is missed: what begins after the look is an event.
            opened.enter_context(self.events)
            # Some 0.1 ms each, for samples that arrive after their end.
            self.symbolizer.processes.refresh_all()
            sampling = opened.enter_context(self._sampling)
            if self._beside:
                opened.enter_context(self._beside.attended(sampling.rings))
                self.unwinding = self._beside
                self.symbolizer.read_large_files(self._beside.paused)
            elif sampling.unwind:
                unwinding = Unwinding(
                    sampling.unwind,
                    self._unwind_folder,
                    self.events,
                    self.symbolizer.processes,
                    self._rest_seconds,
                    sampling.rings,
                )
                self.unwinding = opened.enter_context(unwinding)
                self.symbolizer.read_large_files(unwinding.paused)
                if self._py_spy:
                    spying = Spying(self._unknown_interpreter, find_program())
                    self.spying = opened.enter_context(spying)
            self._open = opened.pop_all()
        logger.info("sampling %s, loaded by %s", "; ".join(sampling.rates), sampling.loader)
        if sampling.problem:
            logger.warning("stacks are walked by frame pointers alone: %s", sampling.problem)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    @property
    def frequency_hz(self) -> int:
        """At which it samples now; 0: what is sampled has none."""
        return self._sampling.frequency_hz

    @property
    def parts(self) -> Mapping[ProfileType, Sequence[Sampler]]:
        """What counts the samples of each profile type."""
        return self._sampling.parts

    @property
    def children(self) -> list[int]:
        """The processes that read files and interpreters for it now."""
        found = [self.symbolizer.child_pid]
        if self.unwinding and not self._beside:
            found.append(self.unwinding.child_pid)
        spying = self.spying.child_pids if self.spying else []
        return [pid for pid in found if pid is not None] + spying

    def restrain(self, step: Step) -> None:
        """From the next drain on. Without symbols no py-spy is asked either."""
        self._sampling.slow_down(step.divisor)
        self.symbolizer.paused = not step.symbols
        self.events.paused = not step.events

    def forget(self) -> None:
        """Gives back memory, for names that can be found again."""
        self.symbolizer.forget()

    def drain(self) -> tuple[Drain, ...]:
        raws = self._sampling.drain(self._walk)
        # Once, whether it is off-CPU time, wall-clock time, which is the sum of both, or each.
        self.lost_ns += max(raw.lost_value for raw in raws)
        self.events.follow_cpus(cpus.online())
        sightings = self._spy(raws)
        try:
            self._follow()
            return tuple(self._named(raw, sightings if raw.type == CPU else {}) for raw in raws)
        finally:
            memory.give_back()

    def _follow(self) -> None:
        """What processes did meanwhile."""
        try:
            if self.unwinding and not self._beside:
                self.unwinding.catch_up()
            else:
                self.symbolizer.processes.follow(self.events.read())
        except Exception:
            logger.exception("what processes did could not be followed")

    def _named(self, raw: RawDrain, sightings: Mapping[int, Sighting]) -> Drain:
        self.idle += raw.idle
        self.spent_ns += raw.spent_ns
        for sample in raw.samples:
            if sample.truncated:
                self.incomplete[sample.truncated] += sample.count
        name_python = self.unwinding.names.answer if self.unwinding else without_python
        try:
            drain = self.symbolizer.symbolize(raw, name_python, sightings)
        except Exception:
            # Whatever strange file a process maps: the node's other samples must still come.
            logger.exception("the samples of a drain could not be named")
            return _nameless(raw, self._host_name)
        if (problem := self.symbolizer.kernel_problem) != self._said:
            self._said = problem
            logger.warning("%s", problem or "kernel functions have names again")
        return drain

    def _spy(self, raws: Sequence[RawDrain]) -> Mapping[int, Sighting]:
        """What py-spy saw since the last drain; it is begun again for the next one."""
        on_cpu = next((raw for raw in raws if raw.type == CPU), None)
        if self.spying is None or on_cpu is None:
            return {}
        try:
            sightings = self.spying.collect()
            if not self._sampling.stopped and not self.symbolizer.paused:
                self.spying.begin(on_cpu)
            return sightings
        except Exception:
            logger.exception("py-spy could not be asked")
            return {}

    def _unknown_interpreter(self, pid: int) -> str:
        if self.unwinding is None or self.symbolizer.excludes(pid):
            return ""
        return self.unwinding.unknown_interpreter(pid)

    def _walk(self, saved: Sequence[SavedStack]) -> Iterable[Walk]:
        if self.unwinding is None:
            return unwalked(saved)
        stopped = self._sampling.stopped
        patience = self._last_patience_seconds if stopped else self._patience_seconds
        return self.unwinding.walk(saved, patience)


def _nameless(raw: RawDrain, host_name: str) -> Drain:
    """The accounts of `raw`, with the samples that are lost with their names."""
    losses = dict(raw.losses)
    if samples := sum(sample.count for sample in raw.samples):
        losses["symbols_failed"] = samples
    return Drain(host_name, raw.start_ns, raw.duration_ns, raw.taken, losses, type=raw.type)
