"""What the server counts about itself, for `/metrics` in Prometheus' text format."""

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from server.store.size import Holdings

CAUSES = frozenset(
    (
        *("ring_full", "stack_collision", "counts_full", "sleeping_full", "end_unseen"),
        *("symbols_failed", "excluded", "collector_killed"),
        *("spool_full", "spool_damaged", "refused", "unaccounted"),
    )
)
"""The causes of docs/architecture.md. Any other that a sender may invent is counted as `other`,
so that no sender can grow the number of time series."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """One registry a server, so that several can live in a process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.batches = Counter(
            "profiler_ingest_batches",
            "Batches that were answered, by what became of them: stored, duplicate, or the "
            "gRPC status of their refusal.",
            ["outcome"],
            registry=self.registry,
        )
        self.samples = Counter("profiler_ingest_samples", "Samples stored.", registry=self.registry)
        self.entries = Counter(
            "profiler_ingest_entries",
            "Entries stored: a stack of a series in a batch.",
            registry=self.registry,
        )
        self.losses = Counter(
            "profiler_ingest_lost_samples",
            "Samples that stored batches report as lost.",
            ["cause"],
            registry=self.registry,
        )
        self.deploys = Counter(
            "profiler_deploys",
            "Deploys that were listed, by how they came to be known: seen on hosts, or posted.",
            ["origin"],
            registry=self.registry,
        )
        self.unlisted_deploys = Counter(
            "profiler_deploys_unlisted",
            "Versions that hosts were seen to change to, and that a day's list has no room for.",
            registry=self.registry,
        )
        self.store_seconds = Histogram(
            "profiler_ingest_store_seconds",
            "From the start of a batch's transaction to the end of its commit.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "profiler_http_request_seconds",
            "HTTP requests, by route and status.",
            ["route", "status"],
            buckets=_SECONDS,
            registry=self.registry,
        )

        self.alert_evaluations = Counter(
            "profiler_alert_evaluations",
            "Evaluations of alert rules by this server: done, or failed.",
            ["outcome"],
            registry=self.registry,
        )
        self.alert_notices = Counter(
            "profiler_alert_notices",
            "What the webhook was to hear: delivered, or undelivered after all tries.",
            ["outcome"],
            registry=self.registry,
        )
        self.alert_retries = Counter(
            "profiler_alert_retries",
            "Requests to the webhook that were tried again.",
            registry=self.registry,
        )
        self.alert_firing = self._by_rule("firing", "1 where the rule fires.")
        self.alert_share = self._by_rule("share", "Share of all of the functions that it names.")

        self.table_rows = Gauge(
            "profiler_store_rows", "Rows of a table.", ["table"], registry=self.registry
        )
        self.table_bytes = Gauge(
            "profiler_store_bytes",
            "Bytes of a table with its indexes.",
            ["table"],
            registry=self.registry,
        )
        self.database_bytes = self._gauge("database_bytes", "Bytes of the database.")
        self.stored_entries = self._gauge("entries", "Entries of hot rows and chunks.")
        self.epochs = self._gauge("epochs", "Epochs of symbols, of all services.")
        self.compaction_lag = self._gauge(
            "compaction_lag_seconds", "Age of the oldest row that is not compacted."
        )
        self.stale = self._gauge("stale_sums", "Hours and days that are to be summed up.")

    def _by_rule(self, name: str, help: str) -> Gauge:
        return Gauge(f"profiler_alert_{name}", help, ["rule"], registry=self.registry)

    def _gauge(self, name: str, help: str) -> Gauge:
        return Gauge(f"profiler_store_{name}", help, registry=self.registry)

    def count_losses(self, losses: Mapping[str, int]) -> None:
        for cause, samples in losses.items():
            # Accounts that hold more than was taken have a negative rest; counters only grow.
            self.losses.labels(cause if cause in CAUSES else "other").inc(max(samples, 0))

    def show(self, held: Holdings) -> None:
        """What the database holds, as of now."""
        for table in held.tables:
            self.table_rows.labels(table.name).set(table.rows)
            self.table_bytes.labels(table.name).set(table.bytes)
        for gauge, value in (
            (self.database_bytes, held.bytes),
            (self.stored_entries, held.entries),
            (self.epochs, held.epochs),
            (self.compaction_lag, held.lag_ns / 1e9),
            (self.stale, held.stale),
        ):
            gauge.set(value)

    def watch(self, name: str, help: str, value: Callable[[], float]) -> None:
        """Reports the present `value` of something under `name`."""
        Gauge(name, help, registry=self.registry).set_function(value)

    def text(self) -> bytes:
        return generate_latest(self.registry)
