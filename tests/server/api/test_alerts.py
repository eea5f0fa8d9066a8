"""Alerts as they are asked for."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server.alerts import rules
from server.alerts.alerting import Alerting
from server.app import Server
from server.config import TENANT, Config
from server.metrics import Metrics
from server.store.function_tree import FunctionTrees
from server.store.symbols import SymbolReader
from tests.server.api.schema import mistakes
from tests.server.api.test_answers import GOLDENS
from tests.server.api.test_http import StoppedClock
from tests.server.client import get, send_all
from tests.server.drains import drain, series

QUERY = 'cpu{service_name="checkout"}'
ALERTS = rules.parse(
    {
        "alert": [
            {
                **{"name": "json", "query": QUERY, "function": "json", "share": "20%"},
                **{"cost": "total", "labels": {"team": "a"}, "annotations": {"runbook": "b"}},
            },
            {"name": "week", "query": QUERY, "growth": "0.5pp", "window": "1h", "for": "5m"},
        ]
    },
    "alerts.toml",
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    config = Config(
        http="127.0.0.1:0",
        grpc="127.0.0.1:0",
        database=f"sqlite:///{tmp_path}/profiler.db",
        alerts=ALERTS,
    )
    with Server(config, StoppedClock()) as opened:
        yield opened


def test_each_rule_is_answered_with_how_it_stands(server: Server) -> None:
    send_all(server.grpc_address, [drain(series("json;f 50", "main 150"))])
    symbols = SymbolReader()
    Alerting(
        *(server.database, TENANT, ALERTS, symbols, FunctionTrees(symbols), Metrics()),
        StoppedClock(),
    ).look()
    answer: Any = get(server.http_address, "/api/v1/alerts").json
    file = GOLDENS / "alerts.json"
    if os.environ.get("BLESS"):
        file.write_text(json.dumps(answer, indent=1) + "\n")
    assert answer == json.loads(file.read_text()), f"BLESS=1 writes {file.name} anew"
    document = get(server.http_address, "/api/v1/openapi.json").json
    assert mistakes(answer, {"$ref": "#/components/schemas/Alerts"}, document) == []


def test_rules_that_were_never_evaluated_are_answered_too(server: Server) -> None:
    first, _ = get(server.http_address, "/api/v1/alerts").json["alerts"]
    assert (first["state"], first["evaluated"], first["error"]) == ("inactive", 0, "")
    assert "value" not in first
