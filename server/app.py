"""The composition root: a database, the listener for collectors, the HTTP server, one `Server`.

with Server(Config(database="sqlite:///profiler.db")) as server:
    print(server.http_address, server.grpc_address)
"""

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from profiler.clock import Clock, SystemClock
from server.alerts.alerting import Alerting
from server.api import create_app
from server.api.backend import Backend
from server.api.listener import THREADS, HttpListener
from server.config import Config, host_and_port
from server.ingest.ingester import Ingester
from server.ingest.listener import IngestListener
from server.ingest.listeners import Asking, Listeners
from server.ingest.service import IngestService
from server.maintenance import Maintenance
from server.metrics import Metrics
from server.store import migrations
from server.store.database import Database
from server.store.function_tree import FunctionTrees
from server.store.symbols import SymbolReader

_CONNECTIONS = THREADS + 7
"""To the database: one a request, one to write, one for those who ask collectors, two for
maintenance, two for alerts, one to spare."""


class Server:
    """Serves from entry to exit. Raises UnavailableError where an address or the database is not
    to be had."""

    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        self._config = config
        self._clock = clock or SystemClock()
        self._parts = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as parts:
            self._start(parts)
            self._parts = parts.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stops taking work and returns when what was begun is committed and answered."""
        self._parts.close()

    @property
    def http_address(self) -> str:
        return self._http.address

    @property
    def grpc_address(self) -> str:
        host, _ = host_and_port("--grpc", self._config.grpc)
        return f"{host}:{self._ingest.port}"

    @property
    def database(self) -> Database:
        return self._database

    def _start(self, parts: ExitStack) -> None:
        config, metrics = self._config, Metrics()
        database = Database(config.database, connections=_CONNECTIONS)
        self._database = parts.enter_context(database)
        if config.migrate:
            migrations.migrate(database)
        migrations.check(database)

        nodes = config.cached_nodes
        ingester = Ingester(database, config.tenant, cached_nodes=nodes, clock=self._clock)
        symbols = SymbolReader(nodes)
        functions = FunctionTrees(symbols, nodes)
        metrics.watch(
            "profiler_ingest_cached_nodes",
            "Memory of the writer's symbol cache, in nodes.",
            lambda: ingester.cached_nodes,
        )
        metrics.watch(
            "profiler_query_cached_nodes",
            "Memory of the readers' symbol cache, in nodes.",
            lambda: symbols.cached_nodes + functions.cached_nodes,
        )
        metrics.watch(
            "profiler_store_full",
            "1 where the last write found no room on the disk.",
            lambda: database.full is not None,
        )
        backend = Backend(
            database, symbols, functions, metrics, self._clock, config.tenant, config.alerts
        )
        app = create_app(backend, host_and_port("--http", config.http)[0])
        self._http = parts.enter_context(HttpListener(config.http, app))
        listeners = Listeners()
        service = IngestService(ingester, metrics, listeners)
        self._ingest = parts.enter_context(IngestListener(config.grpc, service))
        parts.enter_context(Asking(database, config.tenant, listeners, self._clock))
        if config.alerts.rules:
            parts.enter_context(
                Alerting(
                    *(database, config.tenant, config.alerts, symbols, functions, metrics),
                    self._clock,
                )
            )
        if config.maintain:
            parts.enter_context(
                Maintenance(database, config.tenant, config.policy, metrics, self._clock, functions)
            )
