"""The live source over a sampler of the test's own: what it counts, and that nothing kills it."""

from types import TracebackType
from typing import Any, cast

import pytest

from collector.kernel.sampler import Sampler
from collector.sources.live import LiveSource
from collector.sources.raw import RawDrain, RawSample
from profiler.model import Drain


class Samples:
    """Three samples a drain, one lost, five idle."""

    def __enter__(self) -> "Samples":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def drain(self) -> RawDrain:
        return RawDrain(7, 10, 1, 4, 5, {"ring_full": 1}, (RawSample(1, "t", (1, 2), (), 3),))


def source(symbolize: Any) -> LiveSource:
    return LiveSource(cast(Sampler, Samples()), symbolize, "a")


def test_a_drain_is_named_and_its_idle_samples_counted() -> None:
    named = Drain("a", 7, 10, 4)
    with source(lambda raw: named) as live:
        assert live.drain() is live.drain() is named
        assert live.idle == 10
        assert not live.finished


def test_a_mistake_in_the_naming_costs_the_samples_but_not_the_sum(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(raw: RawDrain) -> Drain:
        raise IndexError("a strange file")

    with source(broken) as live:
        drain = live.drain()
    assert drain == Drain("a", 7, 10, 4, {"ring_full": 1, "symbols_failed": 3})
    assert drain.unaccounted == 0
    assert "could not be named" in caplog.text
