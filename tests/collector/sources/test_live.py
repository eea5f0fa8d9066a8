"""The live source over a sampler of the test's own: what it counts, and that nothing kills it."""

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace, TracebackType
from typing import Any, cast

import pytest

from collector.agent import Agent
from collector.delivery import Exporter
from collector.kernel.process_events import ProcessEvents
from collector.kernel.sampling import Sampling
from collector.kernel.stacks import WalkSaved
from collector.labels.labeller import Labelling
from collector.metrics import NodeMetrics
from collector.processes.cache import ProcessCache
from collector.processes.events import Event
from collector.processes.procfs import ProcFs
from collector.sources.live import LiveSource
from collector.sources.raw import RawDrain, RawSample
from collector.sources.unwinding import Unwinding
from collector.symbols.addresses import without_python
from collector.symbols.symbolizer import Symbolizer
from collector.unwind.later import SavedStack, Walk
from profiler.model import OFF_CPU, WALL, Drain
from tests.collector.clock import FakeClock


class Samples:
    """Three samples a drain, one lost, five idle, in 8 ns."""

    rates, loader = ("cpu at 99 Hz",), "libbpf"
    unwind: Mapping[str, int] = {}
    problem = ""
    stopped = False

    def __enter__(self) -> "Samples":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def drain(self, walk: WalkSaved) -> tuple[RawDrain, ...]:
        samples = (RawSample(1, "t", (1, 2), (), 3),)
        return (RawDrain(7, 10, 1, 4, 5, {"ring_full": 1}, samples, 8),)


class Names:
    """A symbolizer that does what the test says."""

    def __init__(self, symbolize: Callable[..., Drain]) -> None:
        self.symbolize = symbolize
        self.kernel_problem = ""
        self.processes = ProcessCache(ProcFs())
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Nothing:
    """Process events of a machine on which nothing happens."""

    missed = 0

    def __enter__(self) -> "Nothing":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def follow_cpus(self, online: Sequence[int]) -> None: ...

    def read(self) -> list[Event]:
        return []


def source(names: Names) -> LiveSource:
    events = cast(ProcessEvents, Nothing())
    return LiveSource(cast(Sampling, Samples()), events, cast(Symbolizer, names), "a")


def test_a_drain_is_named_and_its_idle_samples_and_its_time_are_counted() -> None:
    named = Drain("a", 7, 10, 4)
    names = Names(lambda *_: named)
    with source(names) as live:
        assert live.drain() == live.drain() == (named,)
        assert live.idle == 10
        assert live.spent_ns == 16
        assert not live.finished
    assert names.closed


def test_lost_off_cpu_time_is_counted_once_and_on_metrics() -> None:
    """The wall-clock time of a drain has lost the same."""

    class Sleeps(Samples):
        frequency_hz = 99

        def drain(self, walk: WalkSaved) -> tuple[RawDrain, ...]:
            lost = 1_500_000_000
            return tuple(
                RawDrain(7, 10, 0, 1, 0, {"counts_full": 1}, type=type, lost_value=lost)
                for type in (OFF_CPU, WALL)
            )

    events, names = cast(ProcessEvents, Nothing()), Symbolizer(Labelling("a"))
    live = LiveSource(cast(Sampling, Sleeps()), events, names, "a")
    with live:
        live.drain()
    agent = Agent(live, cast(Exporter, None), FakeClock(), 0)
    told = {
        metric.name: metric for metric in NodeMetrics(agent, live, cast(Exporter, None)).collect()
    }
    (sample,) = told["profiler_collector_off_cpu_seconds_lost"].samples
    assert sample.value == 1.5


def test_a_drain_waits_for_tables_as_long_as_it_is_told() -> None:
    waited: list[float] = []

    class Waits:
        names = SimpleNamespace(answer=without_python)

        def walk(self, saved: Sequence[SavedStack], patience_seconds: float) -> list[Walk]:
            waited.append(patience_seconds)
            return []

        def catch_up(self) -> None: ...

    class Walks(Samples):
        def drain(self, walk: WalkSaved) -> tuple[RawDrain, ...]:
            walk([])
            return super().drain(walk)

    given: tuple[dict[str, Any], ...] = ({}, {"patience_seconds": 15.0})
    for patience in given:
        events, names = cast(ProcessEvents, Nothing()), Symbolizer(Labelling("a"))
        sampling = Walks()
        live = LiveSource(cast(Sampling, sampling), events, names, "a", **patience)
        live.unwinding = cast(Unwinding, Waits())
        live.drain()
        sampling.stopped = True
        live.drain()
    assert waited == [1.0, 15.0, 15.0, 15.0]


def test_hidden_kernel_symbols_are_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    names = Names(lambda *_: Drain("a", 7, 10, 4))
    names.kernel_problem = "kernel functions have no names: kptr_restrict is 2"
    with source(names) as live:
        live.drain()
        live.drain()
    assert caplog.text.count("kptr_restrict is 2") == 1


def test_a_mistake_in_the_naming_costs_the_samples_but_not_the_sum(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_: object) -> Drain:
        raise IndexError("a strange file")

    with source(Names(broken)) as live:
        (drain,) = live.drain()
    assert drain == Drain("a", 7, 10, 4, {"ring_full": 1, "symbols_failed": 3})
    assert drain.unaccounted == 0
    assert "a strange file" in caplog.text
