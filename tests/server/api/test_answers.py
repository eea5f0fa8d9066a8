"""Every path against an answer that was read by a person: tests/server/api/goldens/.

BLESS=1 writes them anew; read the difference before it is committed.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from profiler.analysis.packed import MEDIA_TYPE
from server.api import urls
from tests.server.api.schema import mistakes, resolve
from tests.server.client import Answer, get

GOLDENS = Path(__file__).parent / "goldens"
MINUTE = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T00:01:00Z"}
HOST_A = {"query": 'cpu{host_name="a"}', **MINUTE}

RECURSE = "0zhlh020md9fdo"
"""The path worker, [truncated: depth], recurse; server/web/tests/packed.test.ts has it too."""

REQUESTS: dict[str, tuple[str, dict[str, str]]] = {
    "profile-types": ("/profile-types", {}),
    "labels": ("/labels", MINUTE),
    "label-values": ("/labels/service_name/values", HOST_A),
    "series": ("/series", HOST_A),
    "timeline": ("/timeline", {**HOST_A, "step": "15s"}),
    "timeline-by": ("/timeline", {**MINUTE, "step": "15s", "by": "service_name"}),
    "timeline-by-cut": (
        "/timeline",
        {**MINUTE, "step": "15s", "by": "service_name", "max_groups": "1"},
    ),
    "flamegraph": ("/flamegraph", MINUTE),
    "flamegraph-cut": ("/flamegraph", {**HOST_A, "max_nodes": "3"}),
    "flamegraph-shown": (
        "/flamegraph",
        {**MINUTE, "focus": "^re", "hide": "kind:marker", "recursion": "collapse", "group": "kind"},
    ),
    "flamegraph-label": ("/flamegraph", {**MINUTE, "group": "label:host_name", "threads": "merge"}),
    "top-line": ("/top", {**HOST_A, "group": "line"}),
    "flamegraph-zoom": ("/flamegraph", {**MINUTE, "zoom": RECURSE, "max_nodes": "4"}),
    "flamegraph-zoom-nowhere": ("/flamegraph", {**HOST_A, "zoom": "0" * 14}),
    "flamegraph-empty": ("/flamegraph", {"query": 'cpu{host_name="z"}', **MINUTE}),
    "top": ("/top", HOST_A),
    "top-total": ("/top", {**HOST_A, "sort": "total", "limit": "2"}),
    "callers": ("/callers", {**HOST_A, "function": "main"}),
    "diff": (
        "/diff",
        {
            "query": 'cpu{host_name="b"}',
            "baseline": 'cpu{host_name="a"}',
            "baseline_from": MINUTE["from"],
            "baseline_to": MINUTE["to"],
            **MINUTE,
        },
    ),
    "diff-nothing-before": ("/diff", {**MINUTE, "per": "cores"}),
    "overview": (
        "/overview",
        {"from": "2026-01-01T00:00:10Z", "to": "2026-01-01T00:00:20Z", "since": "10s"},
    ),
    "overview-nothing-before": ("/overview", {**MINUTE, "limit": "1"}),
    "function": (
        "/function",
        {**MINUTE, "function": "recurse", "by": "host_name", "step": "30s"},
    ),
    "function-none": ("/function", {**HOST_A, "function": "nobody"}),
    "history": ("/history", {**HOST_A, "function": "recurse"}),
    "trend": ("/trend", {**MINUTE, "function": "main"}),
    "trend-by-hosts": (
        "/trend",
        {**MINUTE, "match": "re.*", "by": "host_name", "step": "1h", "cost": "self", "limit": "3"},
    ),
    "movers": ("/movers", {"from": "2026-01-01T00:00:10Z", "to": "2026-01-01T00:00:20Z"}),
    "stacks": ("/stacks", {**HOST_A, "with": "main", "without": "re.*"}),
    "hosts": ("/hosts", {**MINUTE, "function": "read"}),
    "coverage": ("/coverage", {**MINUTE, "step": "1h"}),
    "trend-mistake": ("/trend", {**MINUTE, "match": "re("}),
    "deploys": ("/deploys", MINUTE),
    "deploys-none": ("/deploys", {**MINUTE, "service": "nobody"}),
    "alerts-none": ("/alerts", {}),
    "sessions-none": ("/sessions", {}),
    "selector-mistake": ("/flamegraph", {"query": 'cpu{host_name="a}', **MINUTE}),
    "no-such-path": ("/flame", {}),
}


def ask(address: str, name: str) -> Answer:
    path, query = REQUESTS[name]
    return get(address, f"/api/v1{path}", **query)


@pytest.mark.parametrize("name", REQUESTS)
def test_answers_are_those_that_were_read(address: str, name: str) -> None:
    answer = ask(address, name).json
    file = GOLDENS / f"{name}.json"
    if os.environ.get("BLESS"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(answer, indent=1) + "\n")
    assert answer == json.loads(file.read_text()), f"BLESS=1 writes {file.name} anew"


def test_the_packed_form_is_the_one_that_the_page_reads(address: str) -> None:
    """server/web/tests/packed.test.ts compares this golden with flamegraph.json."""
    headers = {"Accept": f"{MEDIA_TYPE}, application/json;q=0.1"}
    answer = get(address, "/api/v1/flamegraph", headers, **MINUTE)
    assert answer.headers["Content-Type"] == MEDIA_TYPE
    file = GOLDENS / "flamegraph.packed"
    if os.environ.get("BLESS"):
        file.write_bytes(answer.body)
    assert answer.body == file.read_bytes(), f"BLESS=1 writes {file.name} anew"


@pytest.mark.parametrize("name", REQUESTS)
def test_answers_are_as_the_openapi_document_says(address: str, name: str) -> None:
    document: dict[str, Any] = get(address, "/api/v1/openapi.json").json
    answer = ask(address, name)
    path = REQUESTS[name][0].replace("service_name", "{name}")
    operation = document["paths"].get(path, document["paths"]["/top"])["get"]
    described = "400" if answer.status == 404 else str(answer.status)
    response = resolve(operation["responses"][described], document)
    content = response["content"][answer.headers.get_content_type()]
    assert mistakes(answer.json, content["schema"], document) == []


def test_every_path_is_described_with_exactly_its_parameters(address: str) -> None:
    """A path refuses what it does not know, and says what it does."""
    document: dict[str, Any] = get(address, "/api/v1/openapi.json").json
    for path, operations in document["paths"].items():
        refusal = get(address, f"/api/v1{path.replace('{name}', 'host_name')}", nonsense="1")
        known = refusal.json["detail"].rpartition("this path takes ")[2]
        parameters = [
            resolve(parameter, document) for parameter in operations["get"].get("parameters", [])
        ]
        described = [one["name"] for one in parameters if one["in"] == "query"]
        assert refusal.status == 400
        assert known == (", ".join(described) or "none")


def test_the_document_describes_every_path_of_the_api(address: str) -> None:
    document: dict[str, Any] = get(address, "/api/v1/openapi.json").json
    spelled = [path for path in vars(urls).values() if str(path).startswith(f"{urls.API}/")]
    described = [urls.API + path.replace("{name}", "<name>") for path in document["paths"]]
    assert sorted(described) == sorted(spelled)


def test_the_reference_names_every_path_and_parameter(address: str) -> None:
    reference = (Path(__file__).parents[3] / "docs/reference/http-api.md").read_text()
    document: dict[str, Any] = get(address, "/api/v1/openapi.json").json
    paths = [path.strip("/").replace("{name}", "NAME") for path in document["paths"]]
    for name in (*paths, *document["components"]["parameters"]):
        assert f"`{name}`" in reference or f"/{name}`" in reference or name == "name"
