"""The collector's own numbers, for Prometheus. They are read when asked for, not kept twice."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from collector.agent import Agent
from collector.delivery import Exporter
from collector.delivery.grpc import GrpcExporter
from collector.labels.labeller import Labeller
from collector.on_demand.sessions import Sessions
from collector.restraint import Restraint
from collector.sources import SampleSource
from collector.sources.live import LiveSource
from collector.sources.unwinding import PythonStats
from collector.symbols.counters import Counters
from collector.unwind.unwinder import UnwindStats
from profiler.errors import UnavailableError, UsageError
from profiler.timerange import SECOND


@dataclass(frozen=True, slots=True)
class NodeMetrics(Collector):
    """What the parts of one collector have counted."""

    agent: Agent
    source: SampleSource
    exporter: Exporter
    restraint: Restraint | None = None
    sessions: Sessions | None = None

    def collect(self) -> Iterator[Metric]:
        agent = self.agent
        yield _counter("samples_taken", "Samples that the kernel program took.", agent.taken)
        lost = Counter(dict(agent.losses))
        if isinstance(self.exporter, GrpcExporter):
            lost.update(dict(self.exporter.spool.lost))
            yield from _delivery(self.exporter)
        yield _by_label("samples_lost", "Samples lost on this node.", "cause", lost)
        yield SummaryMetricFamily(
            "profiler_collector_drain_seconds",
            "Time from the kernel's maps to the spool.",
            count_value=agent.drains,
            sum_value=agent.drain_ns / SECOND,
        )
        if self.restraint:
            yield from _cost(self.restraint)
        if self.sessions:
            yield from _sessions(self.sessions)
        if isinstance(self.source, LiveSource):
            yield _gauge("sampling_frequency_hertz", "On each CPU.", self.source.frequency_hz)
            yield _counter("samples_idle", "Samples on idle CPUs, not taken.", self.source.idle)
            lost_s = self.source.lost_ns / SECOND
            yield _counter("off_cpu_seconds_lost", "Of lost samples, as far as known.", lost_s)
            missed = self.source.events.missed
            yield _counter("process_events_missed", "Exec, mmap and fork not seen.", missed)
            incomplete = self.source.incomplete
            yield _by_label("samples_incomplete", "Stacks without their root.", "cause", incomplete)
            if self.source.unwinding:
                yield from _unwinding(self.source.unwinding.stats())
                yield from _python(self.source.unwinding.python_stats())
            if self.source.spying:
                outcomes = self.source.spying.outcomes
                yield from _py_spy(outcomes, self.source.symbolizer.counters.spied)
            counters = self.source.symbolizer.counters
            yield from _naming(counters)
            yield from _labels(self.source.symbolizer.labeller, counters)


def _cost(restraint: Restraint) -> Iterator[Metric]:
    cost = restraint.read_cost()
    taken = CounterMetricFamily(
        "profiler_collector_cpu_seconds", "CPU time that the collector takes.", labels=["part"]
    )
    taken.add_metric(["collector"], cost.collector_ns / SECOND)
    taken.add_metric(["children"], cost.children_ns / SECOND)
    taken.add_metric(["kernel"], cost.kernel_ns / SECOND)
    yield taken
    resident = GaugeMetricFamily(
        "profiler_collector_resident_bytes", "Memory that it takes.", labels=["part"]
    )
    resident.add_metric(["collector"], cost.collector_bytes)
    resident.add_metric(["children"], cost.children_bytes)
    yield resident
    yield _gauge("restraint_step", "0: nothing is held back.", restraint.step)
    yield _gauge(
        "symbols_paused",
        "1: no new files are read.",
        not restraint.in_force.symbols,
    )
    yield _counter("memory_given_back", "Times that the ceiling was reached.", restraint.forgotten)


def _delivery(exporter: GrpcExporter) -> Iterator[Metric]:
    spool = exporter.spool
    yield _counter("samples_acknowledged", "Samples the server stored.", exporter.acknowledged)
    yield _counter("spool_damaged", "Batches that could not be read.", spool.damaged)
    yield _gauge(
        "unaccounted_seconds",
        "Before this start, of a collector that was killed: how many samples is not known.",
        spool.mark.unaccounted_ns / SECOND,
    )
    yield _gauge("spool_batches", "Batches that wait.", spool.batches)
    yield _gauge("spool_bytes", "Bytes of the batches that wait.", spool.size_bytes)


def _sessions(sessions: Sessions) -> Iterator[Metric]:
    yield _gauge("sessions_running", "Sessions that sample.", sessions.running)
    ended = dict(sessions.outcomes)
    yield _by_label("sessions", "Sessions that have ended.", "outcome", ended)
    yield _counter("session_samples", "Samples that they took.", sessions.taken)


def _unwinding(stats: UnwindStats) -> Iterator[Metric]:
    yield _gauge("unwind_processes", "Processes whose code the kernel knows.", stats.processes)
    yield _gauge("unwind_tables", "Unwind tables in the kernel.", stats.tables)
    yield _gauge("unwind_table_bytes", "Bytes of these.", stats.table_bytes)
    yield _counter("unwind_tables_evicted", "Tables dropped for want of room.", stats.evicted)
    yield _counter("unwind_files_failed", "Files that have no readable rows.", stats.failed)
    yield _counter("unwind_no_room", "Mappings and tables without room.", stats.no_room)


def _python(stats: PythonStats) -> Iterator[Metric]:
    states = {cause or "walked": number for cause, number in stats.processes.items()}
    family = GaugeMetricFamily(
        "profiler_collector_python_processes",
        "Processes with a Python interpreter: walked, or why not.",
        labels=["state"],
    )
    for state, number in states.items():
        family.add_metric([state], number)
    yield family
    yield _by_label("python_walks", "Walks over Python frames.", "outcome", stats.walks)


def _py_spy(outcomes: Mapping[str, int], spied: Mapping[str, int]) -> Iterator[Metric]:
    yield _by_label(
        "py_spy_recordings",
        "py-spy at work on a process, and what came of it.",
        "outcome",
        dict(outcomes),
    )
    yield _by_label(
        "py_spy_samples", "Python samples of the processes that py-spy saw.", "stack", dict(spied)
    )


def _naming(counters: Counters) -> Iterator[Metric]:
    addresses = {"named": counters.named, **counters.unnamed}
    yield _by_label("addresses", "Addresses looked up, each once a drain.", "outcome", addresses)
    files = dict(counters.files)
    yield _by_label("symbol_files", "Files read for their symbols.", "outcome", files)
    if counters.debuginfod:
        fetched = dict(counters.debuginfod)
        yield _by_label("debuginfod_files", "Debug files asked for.", "outcome", fetched)
    seconds = counters.file_nanoseconds / SECOND
    yield _counter("symbol_files_seconds", "Time spent reading them.", seconds)


def _labels(labeller: Labeller, counters: Counters) -> Iterator[Metric]:
    if looked_up := dict(labeller.containers.outcomes):
        yield _by_label("containers", "Containers asked for.", "outcome", looked_up)
    if labeller.pods:
        outcomes = dict(labeller.pods.outcomes)
        yield _by_label("pod_lists", "Looks at the list of pods.", "outcome", outcomes)
    without = counters.without_place
    yield _counter("samples_without_place", "Samples in series [other].", without)


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


def _gauge(name: str, help: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"profiler_collector_{name}", help, value)


def _by_label(name: str, help: str, label: str, values: Mapping[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(f"profiler_collector_{name}", help, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family
