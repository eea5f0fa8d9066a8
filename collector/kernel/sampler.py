"""Sampling from entry to exit: the program, its events and its two sets of maps."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

from collector.kernel import cpus, perf_event
from collector.kernel.abi import LOSSES, RING, Counter
from collector.kernel.loader import load
from collector.kernel.perf_event import Events
from collector.kernel.program import FRAME_POINTERS, Sizes
from collector.kernel.sets import Sets
from collector.kernel.stacks import Key, WalkSaved, unwalked
from collector.sources.raw import RawDrain, RawSample
from profiler.clock import Clock, SystemClock
from profiler.errors import ProfilerError, UsageError

logger = logging.getLogger(__name__)

_NS_PER_S = 1_000_000_000
_MAX_HZ = 100_000  # the kernel's timer event fires at most every 10 us


@dataclass(frozen=True, slots=True)
class _Moment:
    unix_ns: int
    monotonic_ns: int


class Sampler:
    """Samples the whole machine, or the processes `target` and what they start from now on.

    `frequency_hz` is per CPU; 99 avoids lockstep with timers of 100 Hz. `loader` is `auto`,
    `libbpf` or `bcc`; `event` is `auto`, `cycles` or `cpu-clock`; `call_graph` is `auto`, `fp` or
    `dwarf`, which needs an Unwinder over the descriptors `unwind`. Once entered, the attributes of
    these names say what was chosen, and `problem` why it is not dwarf.

    With `on_exec`, sampling begins when the target executes a program (see `command.Command`).

    Entering raises PrivilegeError, UsageError or UnavailableError. A sampler serves one thread.
    """

    def __init__(
        self,
        *,
        frequency_hz: int = 99,
        target: Sequence[int] | None = None,
        on_exec: bool = False,
        loader: str = "auto",
        event: str = "auto",
        call_graph: str = FRAME_POINTERS,
        sizes: Sizes | None = None,
        clock: Clock | None = None,
    ) -> None:
        if not 1 <= frequency_hz <= _MAX_HZ:
            raise UsageError(f"frequency must be from 1 to {_MAX_HZ} Hz, got {frequency_hz}")
        self.frequency_hz = self._usual_hz = self._next_hz = frequency_hz
        self.loader = loader
        self.event = event
        self.call_graph = call_graph
        self.problem = ""
        self.unwind: Mapping[str, int] = {}
        self._target = target
        self._on_exec = on_exec
        self._sizes = sizes
        self._clock = clock or SystemClock()
        self._open = ExitStack()
        self._end: _Moment | None = None

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            event = perf_event.choose(self.event, self.frequency_hz)
            loaded = opened.enter_context(load(self.loader, self._sizes, self.call_graph))
            self._sets = opened.enter_context(Sets(loaded))
            self._events = Events(loaded.program_fd, event, self.frequency_hz)
            opened.callback(lambda: self._events.close())
            self._attach()
            self._open = opened.pop_all()
        self.loader, self.event = loaded.loader, event.name
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
    def stopped(self) -> bool:
        return self._end is not None

    def stop(self) -> None:
        """Ends the sampling; the next drain is the last and misses nothing."""
        if self._end is None:
            self._events.disable()
            self._end = self._now()

    def slow_down(self, divisor: int) -> None:
        """From the next drain on, samples at a part of the frequency that was asked for. Where the
        whole machine is sampled: events that threads have inherited are out of reach."""
        if self._target is None:
            self._next_hz = max(1, self._usual_hz // divisor)

    def drain(self, walk: WalkSaved = unwalked) -> RawDrain:
        """What was sampled since entry or the drain before; the sampling goes on meanwhile.

        `walk` goes over stacks that were saved because the kernel could not walk them yet."""
        # As the kernel computes the period of its timer.
        period_ns = _NS_PER_S // self.frequency_hz
        self._swap()
        start, end = self._start, self._end or self._now()
        self._start = end
        contents = self._sets.take(walk)
        counted = contents.counters
        return RawDrain(
            start_ns=start.unix_ns,
            duration_ns=end.monotonic_ns - start.monotonic_ns,
            period_ns=period_ns,
            taken=counted[Counter.TAKEN],
            idle=counted[Counter.IDLE],
            spent_ns=counted[Counter.SPENT_NS],
            losses={cause.name.lower(): counted[cause] for cause in LOSSES if counted[cause]},
            samples=tuple(
                _sample(key, count, contents.times_ns) for key, count in contents.samples.items()
            ),
        )

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


def _sample(key: Key, count: int, times_ns: Mapping[tuple[int, int], int]) -> RawSample:
    name = key.comm.decode("utf-8", "backslashreplace")
    time_ns = times_ns.get((key.tgid, key.exec_id), 0)
    return RawSample(key.tgid, name, key.user, key.kernel, count, key.truncated, time_ns)
