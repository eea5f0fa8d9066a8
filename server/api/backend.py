"""What the views stand on, and how they reach it."""

from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app

from profiler.clock import Clock
from server.alerts.rules import Alerts
from server.metrics import Metrics
from server.store.database import Database
from server.store.function_tree import FunctionTrees
from server.store.symbols import SymbolReader

_KEY = "profiler"


@dataclass(frozen=True, slots=True)
class Backend:
    """The parts of the server that answer requests; safe to share between threads."""

    database: Database
    symbols: SymbolReader
    functions: FunctionTrees
    metrics: Metrics
    clock: Clock
    tenant: str
    alerts: Alerts


def attach(app: Flask, backend: Backend) -> None:
    app.extensions[_KEY] = backend


def backend() -> Backend:
    """That of the application whose request this is."""
    return cast(Backend, current_app.extensions[_KEY])
