"""From an event to what samples it: a program, its maps, and what calls it.

attached = prepare(event, targeted, opened)
loaded = load("auto", program=attached.program({}))
attached.sets(loaded), attached.events(loaded.program_fd)
"""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace

from collector.events import AnyClock, Event, OffCpu, Pmu, Tracepoint, Uprobe
from collector.events.names import SOFTWARE
from collector.events.notation import COUNT
from collector.kernel import hook, perf_event, pmu
from collector.kernel.abi import TARGETS, Weighs
from collector.kernel.hook import Attach, Hook
from collector.kernel.perf_event import Counter, Events
from collector.kernel.program import Kind, Loaded, Program
from collector.kernel.sets import Sets
from collector.kernel.sleeps import Sleeps
from collector.kernel.targets import Targets
from profiler.errors import UsageError


@dataclass(frozen=True, slots=True)
class Counted:
    """By a perf event a CPU or thread."""

    event: Event
    counter: Counter
    targeted: bool

    @property
    def name(self) -> str:
        return self.counter.name

    def program(self, shared: Mapping[str, int]) -> Program:
        by = Weighs.PERIOD if self.targeted else Weighs.COUNT
        return Program(weighs=by if self.weighs else Weighs.SAME, shared=shared)

    @property
    def weighs(self) -> bool:
        """Whether the kernel tells what a sample stands for: its period is not that of a clock."""
        return bool(self.event.frequency_hz) and self.event.type.unit == COUNT

    def sets(self, loaded: Loaded) -> Sets:
        return Sets(loaded)

    def events(self, program_fd: int) -> Events:
        return Events(program_fd, self.counter, self.event.frequency_hz)


@dataclass(frozen=True, slots=True)
class Hooked:
    """By one hook of the whole machine."""

    event: Event
    attach: Attach
    kind: Kind
    off_cpu: OffCpu
    targets: Targets | None

    @property
    def name(self) -> str:
        return self.event.name

    def program(self, shared: Mapping[str, int]) -> Program:
        if self.targets:
            shared = {**shared, TARGETS: self.targets.fd}
        return Program(
            self.kind,
            targeted=self.targets is not None,
            period=self.event.period,
            minimum_ns=self.off_cpu.minimum_ns,
            shared=shared,
        )

    def sets(self, loaded: Loaded) -> Sets:
        off_cpu = self.kind is Kind.OFF_CPU
        return Sleeps(loaded, self.off_cpu) if off_cpu else Sets(loaded)

    def events(self, program_fd: int) -> Hook:
        return Hook(program_fd, self.attach, self.targets)


def prepare(event: Event, targeted: bool, opened: ExitStack) -> Counted | Hooked:
    """Raises UnavailableError and UsageError, with its name, for an event that is not to be had
    here. What it opens is closed by `opened`."""
    match event.source:
        case AnyClock():
            return Counted(event, perf_event.clock(event.frequency_hz), targeted)
        case Counter() | Pmu() as source:
            counter = pmu.counter(source, event.name) if isinstance(source, Pmu) else source
            if not event.frequency_hz:
                counter = replace(counter, period=event.period)
            elif targeted and counter.type == SOFTWARE and event.type.unit == COUNT:
                raise UsageError(
                    f"event {event.name}: freq is for the whole machine; of a process or command, "
                    f"choose {event.with_term('period=1')}"
                )
            return Counted(event, counter, targeted)
        case Tracepoint() | Uprobe() | OffCpu() as place:
            attach = hook.attach_to(place, event.name)
            targets = opened.enter_context(Targets()) if targeted else None
            off_cpu = place if isinstance(place, OffCpu) else OffCpu()
            return Hooked(event, attach, hook.kind_of(place), off_cpu, targets)
        case _:
            raise ValueError(f"{event.name} is made of others: see sampling.Sampling")
