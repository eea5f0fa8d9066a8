"""The loop: paced without drift, a last drain at the end, sums that an outsider can read."""

import os
import signal
import urllib.request
from types import TracebackType

import pytest

from collector import metrics
from collector.agent import Agent, SignalClock
from collector.metrics import NodeMetrics
from profiler.errors import UnavailableError, UsageError
from profiler.model import Drain
from tests.collector.clock import SECOND_NS, FakeClock
from tests.collector.delivery.drains import drain
from tests.processes import free_address


class Source:
    """Drains that take `seconds` each; finishes after `count` of them."""

    def __init__(self, clock: FakeClock, seconds: float = 0, count: int = 1 << 30) -> None:
        self.at: list[float] = []
        self.open = False
        self._clock = clock
        self._seconds = seconds
        self._count = count

    @property
    def finished(self) -> bool:
        return len(self.at) >= self._count

    def __enter__(self) -> "Source":
        self.open = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.open = False

    def drain(self) -> list[Drain]:
        assert self.open
        self.at.append(self._clock.monotonic_ns() / SECOND_NS)
        self._clock.pass_by(self._seconds)
        return [drain(len(self.at))]


class Exporter:
    def __init__(self) -> None:
        self.drains: list[Drain] = []

    def export(self, drain: Drain) -> None:
        self.drains.append(drain)

    def close(self) -> None: ...


def run(clock: FakeClock, source: Source, interval_ns: int = 10 * SECOND_NS) -> Agent:
    exporter = Exporter()
    agent = Agent(source, exporter, clock, interval_ns)
    agent.run()
    assert not source.open
    assert len(exporter.drains) == len(source.at)
    return agent


def test_the_first_drains_are_early_and_the_others_do_not_drift() -> None:
    clock = FakeClock(stop_after=6)
    source = Source(clock, seconds=0.3)
    run(clock, source)
    assert source.at == [2, 4, 8, 10, 20, 30, 40]


def test_what_ends_with_the_source_ends_while_it_is_open() -> None:
    clock = FakeClock(stop_after=1)
    source = Source(clock)
    open_at_the_end = []
    agent = Agent(
        source, Exporter(), clock, SECOND_NS, ending=lambda: open_at_the_end.append(source.open)
    )
    agent.run()
    assert open_at_the_end == [True]


def test_a_shift_comes_after_the_first_interval_and_stays() -> None:
    clock = FakeClock(stop_after=7)
    source = Source(clock, seconds=0.3)
    Agent(source, Exporter(), clock, 10 * SECOND_NS, shift_ns=3 * SECOND_NS).run()
    assert source.at == [2, 4, 8, 10, 13, 23, 33, 43]


def test_after_each_drain_somebody_may_look() -> None:
    clock = FakeClock(stop_after=2)
    source = Source(clock)
    looks: list[int] = []
    look = lambda: looks.append(len(source.at))  # noqa: E731
    Agent(source, Exporter(), clock, 10 * SECOND_NS, look=look).run()
    assert looks == [1, 2, 3]


def test_what_a_collector_before_left_goes_first_and_is_counted() -> None:
    clock, exporter = FakeClock(stop_after=1), Exporter()
    source, left = Source(clock), drain(7, samples=0, ring_full=9)
    begun: list[bool] = []
    agent = Agent(
        source,
        exporter,
        clock,
        10 * SECOND_NS,
        left=[left],
        begun=lambda: begun.append(source.open and exporter.drains == [left]),
    )
    agent.run()
    assert begun == [True]
    assert (agent.taken, agent.losses) == (
        9 + 11 * len(source.at),
        {"ring_full": 9 + len(source.at)},
    )


def test_a_drain_that_takes_longer_than_the_interval_is_not_made_up_for() -> None:
    clock = FakeClock(stop_after=3)
    source = Source(clock, seconds=13)
    run(clock, source)
    assert source.at == [2, 20, 40, 60]


def test_a_short_interval_is_not_stretched_by_the_first_drain() -> None:
    clock = FakeClock(stop_after=2)
    source = Source(clock)
    run(clock, source, SECOND_NS)
    assert source.at == [1, 2, 3]


def test_what_was_sampled_during_the_drain_in_which_it_was_stopped_is_drained_too() -> None:
    clock = FakeClock(stop_after=2)

    class Stopping(Source):
        def drain(self) -> list[Drain]:
            clock.slept += [0, 0]  # the signal comes now
            return super().drain()

    source = Stopping(clock, seconds=3)
    run(clock, source)
    assert source.at == [2, 5]


def test_a_recording_is_not_waited_for() -> None:
    clock = FakeClock()
    agent = run(clock, Source(clock, count=5), interval_ns=0)
    assert clock.slept == []
    assert (agent.taken, agent.drains, agent.losses) == (55, 5, {"ring_full": 5})


@pytest.mark.usefixtures("signal_handlers")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_sleep_and_the_second_one_kills(number: signal.Signals) -> None:
    clock = SignalClock()
    clock.sleep(0.001)
    at_first = clock.stopped
    os.kill(os.getpid(), number)
    before = clock.monotonic_ns()
    clock.sleep(30)
    assert (at_first, clock.stopped) == (False, True)
    assert clock.monotonic_ns() - before < SECOND_NS
    assert signal.getsignal(number) is signal.SIG_DFL


def test_the_numbers_are_there_for_prometheus() -> None:
    clock = FakeClock()
    source = Source(clock, count=5)
    agent = Agent(source, Exporter(), clock, 0)
    address = free_address()
    stop = metrics.serve(NodeMetrics(agent, source, Exporter()), address)
    try:
        agent.run()
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as response:
            lines = response.read().decode().splitlines()
        with pytest.raises(UnavailableError, match="Address already in use"):
            metrics.serve(NodeMetrics(agent, source, Exporter()), address)
    finally:
        stop()
    assert "profiler_collector_samples_taken_total 55.0" in lines
    assert 'profiler_collector_samples_lost_total{cause="ring_full"} 5.0' in lines
    assert "profiler_collector_drain_seconds_count 5.0" in lines
    assert any(line.startswith("process_resident_memory_bytes ") for line in lines)


def test_an_address_that_is_none_is_a_usage_error() -> None:
    source = Source(FakeClock())
    agent = Agent(source, Exporter(), FakeClock(), 0)
    with pytest.raises(UsageError, match="expected HOST:PORT"):
        metrics.serve(NodeMetrics(agent, source, Exporter()), "nonsense")
