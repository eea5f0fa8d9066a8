"""The running kernel: samples as they are taken, named while their processes still run."""

import logging
from collections.abc import Callable
from types import TracebackType
from typing import Self

from collector.kernel.sampler import Sampler
from collector.sources.raw import RawDrain
from profiler.model import Drain

logger = logging.getLogger(__name__)


class LiveSource:
    """A SampleSource over `sampler`, whose drains `symbolize` names.

    `idle` counts the samples that fell on idle CPUs. A drain that cannot be named because of a
    mistake in the naming is lost under `symbols_failed`; the sampling goes on.
    """

    def __init__(
        self, sampler: Sampler, symbolize: Callable[[RawDrain], Drain], host_name: str
    ) -> None:
        self.idle = 0
        self._sampler = sampler
        self._symbolize = symbolize
        self._host_name = host_name

    @property
    def finished(self) -> bool:
        return False

    def __enter__(self) -> Self:
        self._sampler.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sampler.__exit__(kind, error, trace)

    def drain(self) -> Drain:
        raw = self._sampler.drain()
        self.idle += raw.idle
        try:
            return self._symbolize(raw)
        except Exception:
            # Whatever strange file a process maps: the node's other samples must still come.
            logger.exception("the samples of a drain could not be named")
            return _nameless(raw, self._host_name)


def _nameless(raw: RawDrain, host_name: str) -> Drain:
    """The accounts of `raw`, with the samples that are lost with their names."""
    losses = dict(raw.losses)
    if samples := sum(sample.count for sample in raw.samples):
        losses["symbols_failed"] = samples
    return Drain(host_name, raw.start_ns, raw.duration_ns, raw.taken, losses)
