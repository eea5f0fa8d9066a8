"""Deploys as they are posted and asked for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server.api import deploys
from server.app import Server
from server.config import Config
from tests.server.api.schema import mistakes
from tests.server.api.test_http import StoppedClock
from tests.server.client import Answer, get, post, send_all
from tests.server.drains import MIDNIGHT, SECOND, drain, series

PATH = "/api/v1/deploys"
ONE = {"service": "checkout", "version": "1.4"}
NOW_MS = (MIDNIGHT + 60 * SECOND) // 10**6


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """At a minute past midnight."""
    config = Config(
        http="127.0.0.1:0", grpc="127.0.0.1:0", database=f"sqlite:///{tmp_path}/profiler.db"
    )
    with Server(config, StoppedClock()) as opened:
        yield opened


@pytest.fixture
def http(server: Server) -> str:
    return server.http_address


def listed(address: str, **query: object) -> list[Any]:
    found: list[Any] = get(address, PATH, to=NOW_MS + 1, **{"from_": "now-2d", **query}).json[
        "deploys"
    ]
    return found


def add(address: str, **body: object) -> Answer:
    return post(address, PATH, {**ONE, **body})


def test_a_deploy_that_is_posted_is_listed(http: str) -> None:
    given = {"environment": "prod", "revision": "f00d", "time": "2025-12-31T23:00:00Z"}
    answer = add(http, **given)
    time = (MIDNIGHT - 3600 * SECOND) // 10**6
    expected = {
        **{"time": time, "last": time, **ONE, "environment": "prod", "executable": ""},
        **{"previous": "", "revision": "f00d", "posted": True, "host": "", "hosts": 0},
    }
    assert (answer.status, answer.json) == (201, expected)
    assert listed(http) == [expected]
    document = get(http, "/api/v1/openapi.json").json
    schema = {"$ref": "#/components/schemas/Deploy"}
    assert mistakes(answer.json, schema, document) == []
    assert 'profiler_deploys_total{origin="posted"} 1.0' in get(http, "/metrics").body.decode()


@pytest.mark.parametrize(
    "again",
    [{}, {"revision": "f00d"}, {"time": "now-1h"}, {"time": NOW_MS}, {"time": "now-1s"}],
    ids=str,
)
def test_the_same_deploy_posted_again_is_the_same(http: str, again: dict[str, object]) -> None:
    first = add(http, time="now-10s")
    answer = add(http, **again)
    assert (first.status, answer.status) == (201, 200)
    assert answer.json["time"] == first.json["time"]
    assert [one["revision"] for one in listed(http)] == [again.get("revision", "")]


def test_a_rollback_and_another_revision_are_other_deploys(http: str) -> None:
    add(http, time="now-50s")
    add(http, time="now-40s", version="1.5", revision="a")
    assert add(http, time="now-30s").status == 201
    assert add(http, time="now-20s", version="main", revision="b").status == 201
    assert add(http, time="now-10s", version="main", revision="c").status == 201
    shown = [(one["previous"], one["version"], one["revision"]) for one in listed(http)]
    assert shown == [
        ("1.4", "main", "c"),
        ("1.4", "main", "b"),
        ("1.5", "1.4", ""),
        ("1.4", "1.5", "a"),
        ("", "1.4", ""),
    ]


def test_what_is_posted_is_what_hosts_are_then_seen_to_run(server: Server) -> None:
    http = server.http_address
    before, after = MIDNIGHT - 600 * SECOND, MIDNIGHT - 60 * SECOND
    for number, host in enumerate("ab", 1):
        old = drain(series("main 1", service_version="1.3", host=host), start_ns=before, host=host)
        new = drain(series("main 1", service_version="1.4", host=host), start_ns=after, host=host)
        if number == 1:
            send_all(server.grpc_address, [old, new], number)
            add(http, time="now-3m", revision="f00d")
        else:
            send_all(server.grpc_address, [old, new], number)
    (one,) = listed(http)
    assert (one["posted"], one["revision"], one["hosts"], one["host"]) == (True, "f00d", 2, "a")
    assert (one["previous"], one["time"]) == ("1.3", after // 10**6)
    assert add(http, version="1.3").status == 201


def test_a_version_that_ran_when_its_service_was_first_seen_may_be_posted(server: Server) -> None:
    http, start_ns = server.http_address, MIDNIGHT - 600 * SECOND
    send_all(
        server.grpc_address, [drain(series("main 1", service_version="1.4"), start_ns=start_ns)]
    )
    assert listed(http) == []
    assert add(http).status == 200
    assert [one["time"] for one in listed(http)] == [NOW_MS]


def test_deploys_are_chosen_by_service_selector_and_time(server: Server) -> None:
    http = server.http_address
    send_all(server.grpc_address, [drain(series("main 1", zone="z"), start_ns=MIDNIGHT)])
    for number, service in enumerate(("checkout", "search", "till")):
        add(http, service=service, environment=service[:2], time=f"now-{number + 1}h")

    def services(**query: object) -> list[str]:
        return [one["service"] for one in listed(http, **query)]

    assert services() == ["checkout", "search", "till"]
    assert services(service="till") == ["till"]
    assert services(query='cpu{service_name=~"c.*|s.*"}') == ["checkout", "search"]
    assert services(query='cpu{deployment_environment_name!="ch"}') == ["search", "till"]
    assert services(query='cpu{zone="z"}') == ["checkout"]
    assert services(query='cpu{zone="z",service_name="till"}') == []
    assert services(query='cpu{service_version="1.5"}') == []
    assert services(query='cpu{service_name="\\x00"}') == []
    assert services(from_="now-150m") == ["checkout", "search"]
    cut = get(http, PATH, from_="now-2d", limit=1).json
    assert (cut["deploys_total"], cut["hidden"]) == (3, {"deploys": 2})
    assert [one["service"] for one in cut["deploys"]] == ["checkout"]


@pytest.mark.parametrize(
    ("body", "parameter", "says"),
    [
        ({"service": ""}, "service", "is to be given"),
        ({"version": None}, "version", "is to be a printable text"),
        ({"version": "1\n2"}, "version", "is to be a printable text"),
        ({"version": "é" * 513}, "version", "has more than 1024 bytes"),
        ({"revision": 7}, "revision", "is to be a printable text"),
        ({"time": "yesterday"}, "time", "not a time: 'yesterday'"),
        ({"time": True}, "time", "is to be a text or a number"),
        ({"time": NOW_MS + 600_000}, "time", "has not come yet"),
        ({"time": "9" * 5000}, "time", "not a time"),
        ({"versoin": "1"}, "versoin", "unknown; there are service, version"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused_with_its_name(
    http: str, body: dict[str, object], parameter: str, says: str
) -> None:
    answer = add(http, **body)
    assert (answer.status, answer.json["parameter"]) == (400, parameter)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert says in answer.json["detail"]
    assert listed(http) == []


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[" * 10_000, "application/json", 400),
        (b'{"service":"a","version":"\\ud800"}', "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"service":"a","version":"1"}', "text/plain", 400),
        (b" " * 20_000, "application/json", 413),
    ],
    ids=["cut", "deep", "half a character", "list", "of a page on the web", "large"],
)
def test_a_body_that_is_no_deploy_is_refused(
    http: str, data: bytes, kind: str, status: int
) -> None:
    answer = post(http, PATH, data, kind)
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert listed(http) == []


def test_a_service_has_so_many_deploys_in_a_day(http: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploys, "MOST_A_DAY", 2)
    statuses = [add(http, version=version).status for version in ("1", "2", "3", "2", "1")]
    assert statuses == [201, 201, 429, 200, 200]
    assert add(http, service="other").status == 201
    assert len(listed(http)) == 3
