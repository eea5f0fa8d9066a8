"""The collector's own numbers, for Prometheus. They are read when asked for, not kept twice."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from collector.agent import Agent
from collector.delivery.grpc import GrpcExporter
from collector.delivery.spool import Spool
from profiler.errors import UnavailableError, UsageError
from profiler.timerange import SECOND


@dataclass(frozen=True, slots=True)
class NodeMetrics(Collector):
    """What the parts of one collector have counted; `idle` and `symbols` ask those that know."""

    agent: Agent
    spool: Spool | None = None
    exporter: GrpcExporter | None = None
    idle: Callable[[], int] = lambda: 0
    symbols: Callable[[], Mapping[str, int]] = dict

    def collect(self) -> Iterator[Metric]:
        agent = self.agent
        yield _counter("samples_taken", "Samples that the kernel program took.", agent.taken)
        yield _counter("samples_idle", "Samples on idle CPUs, not part of taken.", self.idle())
        lost = Counter(dict(agent.losses))
        lost.update(dict(self.spool.lost) if self.spool else {})
        yield _by_label("samples_lost", "Samples lost on this node.", "cause", lost)
        yield SummaryMetricFamily(
            "profiler_collector_drain_seconds",
            "Time from the kernel's maps to the spool.",
            count_value=agent.drains,
            sum_value=agent.drain_ns / SECOND,
        )
        yield _by_label("symbols", "What became of names.", "outcome", self.symbols())
        yield from self._delivery()

    def _delivery(self) -> Iterator[Metric]:
        if self.exporter:
            acknowledged = self.exporter.acknowledged
            yield _counter("samples_acknowledged", "Samples stored by the server.", acknowledged)
        if self.spool:
            yield _counter("spool_damaged", "Unreadable batches.", self.spool.damaged)
            for name, help, value in (
                ("spool_batches", "Batches waiting.", self.spool.batches),
                ("spool_bytes", "Bytes of batches waiting.", self.spool.size_bytes),
            ):
                yield GaugeMetricFamily(f"profiler_collector_{name}", help, value)


def serve(metrics: NodeMetrics, address: str) -> Callable[[], None]:
    """Answers at http://ADDRESS/metrics until the function returned is called.

    Raises UsageError for what is no HOST:PORT, UnavailableError where it is in use.
    """
    host, _, port = address.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise UsageError(f"--metrics {address!r}: expected HOST:PORT, such as 127.0.0.1:9440")
    registry = CollectorRegistry()
    registry.register(metrics)
    ProcessCollector(registry=registry)
    try:
        server, thread = start_http_server(int(port), host or "127.0.0.1", registry)
    except OSError as error:
        raise UnavailableError(f"--metrics {address}: {error.strerror}; choose another") from None

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop


def _counter(name: str, help: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(f"profiler_collector_{name}", help, value)


def _by_label(name: str, help: str, label: str, values: Mapping[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(f"profiler_collector_{name}", help, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family
