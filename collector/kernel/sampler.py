"""Sampling from entry to exit: the program, its events and its two sets of maps."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

from collector.events import Event, parse
from collector.events.notation import COUNT
from collector.kernel import attachment, cpus
from collector.kernel.abi import COUNTERS, LOSSES, RING, Counter
from collector.kernel.hook import Hook
from collector.kernel.loader import load
from collector.kernel.perf_event import Events
from collector.kernel.program import FRAME_POINTERS, Sizes
from collector.kernel.sets import Contents
from collector.kernel.sleeps import Sleeps
from collector.kernel.stacks import WalkSaved, unwalked
from collector.sources.raw import RawDrain, RawSample
from profiler.clock import Clock, SystemClock
from profiler.errors import ProfilerError, UnavailableError, UsageError

logger = logging.getLogger(__name__)

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Moment:
    unix_ns: int
    monotonic_ns: int


class Sampler:
    """Samples one event of the whole machine, or of the processes `target` and what they start from
    now on.

    `event` is one, or as perf spells it; without a rate of its own it comes `frequency_hz` times a
    second, per CPU; 99 avoids lockstep with timers of 100 Hz. `loader` is `auto`, `libbpf` or
    `bcc`; `call_graph` is `auto`, `fp` or `dwarf`, which needs an Unwinder over the descriptors
    `unwind`, or those `shared` of another sampler. Once entered, the attributes of these names say
    what was chosen, and `problem` why it is not dwarf.

    With `on_exec`, sampling begins when the target executes a program (see `command.Command`).

    `counters_fd` is then the map that its program counts in. Entering raises PrivilegeError,
    UsageError or UnavailableError. A sampler serves one thread.
    """

    def __init__(
        self,
        *,
        frequency_hz: int = 99,
        target: Sequence[int] | None = None,
        on_exec: bool = False,
        loader: str = "auto",
        event: str | Event = "cpu",
        call_graph: str = FRAME_POINTERS,
        shared: Mapping[str, int] | None = None,
        sizes: Sizes | None = None,
        clock: Clock | None = None,
    ) -> None:
        if isinstance(event, str):
            (event,) = parse(event, frequency_hz=frequency_hz)
        self.frequency_hz = self._usual_hz = self._next_hz = event.frequency_hz
        self.loader = loader
        self.event = event.name
        self.type = event.type
        self.call_graph = call_graph
        self.problem = ""
        self.unwind: Mapping[str, int] = {}
        self.counters_fd = -1
        self.of = event
        self._target = target
        self._on_exec = on_exec
        self.shared = shared or {}
        self._sizes = sizes
        self._clock = clock or SystemClock()
        self._open = ExitStack()
        self._end: _Moment | None = None

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            attached = attachment.prepare(self.of, self._target is not None, opened)
            program = attached.program(self.shared)
            try:
                loaded = load(self.loader, self._sizes, self.call_graph, program)
            except UnavailableError as error:
                raise UnavailableError(f"event {self.of.name}: {error}") from None
            opened.enter_context(loaded)
            self._sets = opened.enter_context(attached.sets(loaded))
            self._events: Events | Hook = attached.events(loaded.program_fd)
            opened.callback(lambda: self._events.close())
            self._attach()
            self._open = opened.pop_all()
        self.loader, self.event = loaded.loader, attached.name
        self.counters_fd = loaded.maps[COUNTERS]
        self.call_graph, self.problem = loaded.call_graph, loaded.problem
        if loaded.unwind:
            self.unwind = {**loaded.unwind, RING: loaded.maps[RING]}
        return self

    def _attach(self) -> None:
        if self._target is None:
            self._events.follow_cpus(cpus.online())
        else:
            follow = partial(self._events.follow_process, on_exec=self._on_exec)
            if not any(list(map(follow, self._target))):  # some may have ended just now
                raise UsageError(f"no process {', '.join(map(str, self._target))}")
        self._start = self._now()
        if not self._on_exec:
            self._events.enable()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    @property
    def counted(self) -> Mapping[str, int]:
        """By the program, in all drains up to now: samples taken, and lost by cause. Of off-CPU
        time a sleep is counted once it is over."""
        return self._sets.counted

    @property
    def stopped(self) -> bool:
        return self._end is not None

    def stop(self) -> None:
        """Ends the sampling; the next drain is the last and misses nothing."""
        if self._end is None:
            self._sets.look()
            self._events.disable()
            self._end = self._now()

    def slow_down(self, divisor: int) -> None:
        """From the next drain on, every so manyth of the samples that were asked for. Where the
        whole machine is sampled, by frequency: events that threads have inherited are out of
        reach. Of off-CPU time, so many stacks less are walked, from now on."""
        if isinstance(self._sets, Sleeps):
            self._sets.walk_one_in(divisor)
        elif self._target is None and self.frequency_hz and isinstance(self._events, Events):
            self._next_hz = max(1, self._usual_hz // divisor)

    def drain(self, walk: WalkSaved = unwalked) -> RawDrain:
        """What was sampled since entry or the drain before; the sampling goes on meanwhile.

        `walk` goes over stacks that were saved because the kernel could not walk them yet."""
        period = self._period()
        # A sleep is divided here, so before the swap: none that begins after it has begun yet.
        end = self._end
        if end is None:
            end = self._now()
            self._sets.look()
        self._swap()
        start, self._start = self._start, end
        if isinstance(self._sets, Sleeps):
            contents = self._sets.take_until(end.monotonic_ns, walk)
        else:
            contents = self._sets.take(walk)
        counted = contents.counters
        return RawDrain(
            start_ns=start.unix_ns,
            duration_ns=end.monotonic_ns - start.monotonic_ns,
            period=period,
            taken=counted[Counter.TAKEN],
            idle=counted[Counter.IDLE],
            spent_ns=counted[Counter.SPENT_NS],
            losses={cause.name.lower(): counted[cause] for cause in LOSSES if counted[cause]},
            samples=tuple(_samples(contents)),
            type=self.type,
            lost_value=counted[Counter.COUNTS_FULL_NS] + counted[Counter.END_UNSEEN_NS],
        )

    def _period(self) -> int:
        """The value of one sample; 0: each has its own."""
        if isinstance(self._sets, Sleeps) or self._weighs:
            return 0
        # As the kernel computes the period of its timer.
        return _NS_PER_S // self.frequency_hz if self.frequency_hz else self.of.period

    @property
    def _weighs(self) -> bool:
        """Whether the kernel tells what a sample stands for: its period is not that of a clock."""
        return bool(self.frequency_hz) and self.type.unit == COUNT

    def _swap(self) -> None:
        """Gives the program the other set, to be filled at the next rate if that is another."""
        if self._next_hz != self.frequency_hz and self._end is None:
            # Nothing is sampled for a moment, so each set has samples of one period.
            self._events.disable()
            self._sets.swap()
            self._change_rate()
        else:
            if self._target is None and self._end is None:
                self._events.follow_cpus(cpus.online())
            self._sets.swap()

    def _change_rate(self) -> None:
        before = self._events
        assert isinstance(before, Events)  # others have no frequency
        events = before.at(self._next_hz)
        try:
            events.follow_cpus(cpus.online())
        except ProfilerError as error:  # the kernel lowers its limit where interrupts take long
            events.close()
            before.enable()
            logger.warning("still at %d Hz: %s", self.frequency_hz, error)
            self._next_hz = self.frequency_hz
        else:
            self._events, self.frequency_hz = events, self._next_hz
            before.close()

    def _now(self) -> _Moment:
        return _Moment(self._clock.now_ns(), self._clock.monotonic_ns())


def _samples(contents: Contents) -> Iterator[RawSample]:
    for key, count in contents.samples.items():
        name = key.comm.decode("utf-8", "backslashreplace")
        time_ns = contents.times_ns.get((key.tgid, key.exec_id), 0)
        value = contents.values[key]
        yield RawSample(key.tgid, name, key.user, key.kernel, count, key.truncated, time_ns, value)
