"""Several events at once, each with a program and maps of its own, but for what is known of
processes and files.

with Sampling(parse("cpu,off-cpu", frequency_hz=99)) as sampling:
    time.sleep(10)
    cpu, off_cpu = sampling.drain()
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import Self

from collector.events import AnyClock, Event, Wall
from collector.kernel.abi import RING
from collector.kernel.program import FRAME_POINTERS, SHARED_MAPS
from collector.kernel.sampler import Sampler
from collector.kernel.stacks import WalkSaved, unwalked
from collector.sources.raw import RawDrain, RawSample
from profiler.errors import UsageError
from profiler.model import CPU, OFF_CPU, WALL, ProfileType


class Sampling:
    """Samplers of different profile types, from entry to exit; `sample` makes one of events.

    With `wall` there are also drains of that type, the sums of those of `cpu` and `off-cpu`.
    `shown` are the events whose drains are wanted, None: of all samplers. Once entered, `unwind`
    has the descriptors that an Unwinder asks for, and `rings` those that wake it.
    """

    def __init__(self, samplers: Sequence[Sampler], shown: Sequence[Event] | None = None) -> None:
        self.samplers = tuple(samplers)
        self.events = tuple(shown or (sampler.of for sampler in samplers))
        self.unwind: Mapping[str, int] = {}
        self.rings: tuple[int, ...] = ()
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            first, *others = self.samplers
            opened.enter_context(first)
            if first.unwind:
                self.unwind = first.unwind
                shared = {name: first.unwind[name] for name in SHARED_MAPS}
            for sampler in others:
                # What served the first serves all: no walk without its tables.
                sampler.loader, sampler.call_graph = first.loader, first.call_graph
                sampler.shared = shared if first.unwind else {}
                opened.enter_context(sampler)
            self._open = opened.pop_all()
        self.rings = tuple(one.unwind[RING] for one in self.samplers if one.unwind)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    @property
    def loader(self) -> str:
        return self.samplers[0].loader

    @property
    def problem(self) -> str:
        return self.samplers[0].problem

    @property
    def frequency_hz(self) -> int:
        """Of the first sampler that has one."""
        return next((one.frequency_hz for one in self.samplers if one.frequency_hz), 0)

    @property
    def rates(self) -> list[str]:
        """What is sampled, for people."""
        return [event.rate for event in self.events]

    @property
    def stopped(self) -> bool:
        return all(sampler.stopped for sampler in self.samplers)

    @property
    def parts(self) -> dict[ProfileType, tuple[Sampler, ...]]:
        """The samplers whose samples the drains of each type are made of."""
        summed = {WALL: (_ON, _OFF)}
        return {
            event.type: tuple(
                [
                    sampler
                    for sampler in self.samplers
                    if sampler.type.name in summed.get(event.type, (event.type.name,))
                ]
            )
            for event in self.events
        }

    def stop(self) -> None:
        """Ends the sampling; the next drains are the last and miss nothing."""
        for sampler in self.samplers:
            sampler.stop()

    def slow_down(self, divisor: int) -> None:
        """See Sampler.slow_down."""
        for sampler in self.samplers:
            sampler.slow_down(divisor)

    def drain(self, walk: WalkSaved = unwalked) -> tuple[RawDrain, ...]:
        """What was sampled of each event since the drain before, in the order of the events."""
        drains = {sampler.type.name: sampler.drain(walk) for sampler in self.samplers}
        if any(isinstance(event.source, Wall) for event in self.events):
            drains[WALL.name] = self._wall(drains[_ON], drains[_OFF])
        return tuple(drains[event.type.name] for event in self.events)

    def _wall(self, on: RawDrain, off: RawDrain) -> RawDrain:
        """Their sum, with the time in the kernel of those that are not shown themselves."""
        shown = {event.type for event in self.events}
        hidden_ns = sum(part.spent_ns for part in (on, off) if part.type not in shown)
        return replace(_sum(on, off), spent_ns=hidden_ns)


_ON, _OFF = CPU.name, OFF_CPU.name


def sample(
    events: Sequence[Event],
    *,
    target: Sequence[int] | None = None,
    on_exec: bool = False,
    loader: str = "auto",
    call_graph: str = FRAME_POINTERS,
) -> Sampling:
    """Samples events; see Sampler for the rest. What `wall` is the sum of is sampled for it, where
    it is not asked for. Raises UsageError."""
    samplers = [
        Sampler(event=event, target=target, on_exec=on_exec, loader=loader, call_graph=call_graph)
        for event in _with_parts(events)
    ]
    return Sampling(samplers, events)


def _with_parts(events: Sequence[Event]) -> tuple[Event, ...]:
    """The events that are sampled themselves."""
    parts = [event for event in events if not isinstance(event.source, Wall)]
    for event in events:
        if isinstance(event.source, Wall):
            if event.type != WALL:
                raise UsageError(f"event {event.name} has its name for good: no name=…")
            on = Event("cpu", CPU, AnyClock(), event.frequency_hz)
            off = Event("off-cpu", OFF_CPU, event.source.off_cpu)
            named = {part.type.name for part in parts}
            parts += [part for part in (on, off) if part.type.name not in named]
    return tuple(parts)


def _sum(on: RawDrain, off: RawDrain) -> RawDrain:
    """The time that threads ran, and that they did not."""
    losses = Counter(dict(on.losses))
    losses.update(off.losses)
    return replace(
        off,
        taken=on.taken + off.taken,
        idle=on.idle,
        losses=dict(losses),
        samples=(*_valued(on), *off.samples),
        type=WALL,
    )


def _valued(drain: RawDrain) -> Iterable[RawSample]:
    for sample in drain.samples:
        yield replace(sample, value=sample.count * drain.period or sample.value)
