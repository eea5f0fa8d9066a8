"""What holds for every answer, and what is refused."""

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa

from profiler.formats import FORMATS, Format
from server.api import pages
from server.app import Server
from server.config import Config
from tests.builders import PERIOD_NS
from tests.server.api.test_answers import HOST_A, MINUTE
from tests.server.client import get, send_all
from tests.server.drains import MIDNIGHT, SECOND, drain, series

FLAMEGRAPH = "/api/v1/flamegraph"


class StoppedClock:
    """It is a minute past midnight."""

    def now_ns(self) -> int:
        return MIDNIGHT + 60 * SECOND

    def monotonic_ns(self) -> int:
        return 0

    def sleep(self, seconds: float) -> None: ...


@pytest.fixture
def sqlite_server(tmp_path: Path) -> Iterator[Server]:
    config = Config(
        http="127.0.0.1:0", grpc="127.0.0.1:0", database=f"sqlite:///{tmp_path}/profiler.db"
    )
    with Server(config, StoppedClock()) as server:
        yield server


@pytest.mark.parametrize(
    ("path", "query", "parameter", "says"),
    [
        ("flamegraph", {"from": "yesterday"}, "from", "not a time: 'yesterday'"),
        ("flamegraph", {"from": "now", "to": "now"}, "from", "the range is empty"),
        ("flamegraph", {"query": "cpu{"}, "query", "(at position 4)"),
        ("flamegraph", {"max_nodes": "0"}, "max_nodes", "expected a number from 1 to 1000000"),
        ("flamegraph", {"max_nodes": "9" * 5000}, "max_nodes", "expected a number"),
        ("top", {"limit": "0" * 5000}, "limit", "expected a number"),
        ("flamegraph", {"max_node": "5"}, "max_node", "unknown parameter; this path takes query"),
        ("timeline", {"step": "0.1"}, "step", "at least a second"),
        ("timeline", {"from": "now-30d", "step": "1s"}, "step", "at most 11000: use 300s or more"),
        ("top", {"sort": "name"}, "sort", "choose from self, total"),
        ("top", {"limit": "-1"}, "limit", "expected a number from 0"),
        ("history", {"function": "f", "from": "now-500d"}, "from", "hours, at most 11000"),
        ("callers", {}, "function", "is to be given"),
        (
            "profiles",
            {"format": "jfr"},
            "format",
            "choose from folded, pprof, recording, speedscope",
        ),
        ("profiles", {"format": "pprof", "value": "value"}, "value", "only folded has the choice"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_name(
    address: str, path: str, query: dict[str, str], parameter: str, says: str
) -> None:
    answer = get(address, f"/api/v1/{path}", **query)
    assert (answer.status, answer.json["parameter"]) == (400, parameter)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert says in answer.json["detail"]


def test_a_parameter_given_twice_is_refused(address: str) -> None:
    answer = get(address, FLAMEGRAPH + "?query=cpu&query=off_cpu&x=")
    assert answer.status == 400
    assert "given 2 times" in answer.json["detail"]


def test_a_selector_may_hold_what_no_label_can(address: str) -> None:
    answer = get(address, FLAMEGRAPH, query='cpu{host_name="\\x00",zone="\U0001f525"}', **MINUTE)
    assert (answer.status, answer.json["total"]["samples"]) == (200, 0)


def test_the_step_that_is_used_has_about_200_buckets_of_at_least_ten_seconds(address: str) -> None:
    midnight = MIDNIGHT // SECOND
    for hours, step_s in ((1 / 60, 10), (1, 30), (6, 120), (24, 600), (24 * 365, 172_800)):
        answer = get(address, "/api/v1/timeline", from_=midnight, to=midnight + int(3600 * hours))
        assert answer.json["step"] == step_s * 1000


def test_the_range_is_the_last_hour_unless_said(sqlite_server: Server) -> None:
    hour, before = MIDNIGHT + 60 * SECOND - 3600 * SECOND, MIDNIGHT + 59 * SECOND - 3600 * SECOND
    drains = [drain(series("main 1"), start_ns=hour), drain(series("main 2"), start_ns=before)]
    send_all(sqlite_server.grpc_address, drains)
    answer = get(sqlite_server.http_address, FLAMEGRAPH)
    assert answer.json["total"]["samples"] == 1


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
def test_exports_hold_every_stack(address: str, format: Format) -> None:
    answer = get(address, "/api/v1/profiles", format=format.name, **HOST_A)
    assert answer.headers["Content-Type"] == format.content_type
    assert answer.headers["Content-Disposition"] == f"attachment; filename=cpu{format.suffix}"
    read = format.loads(answer.body)
    counted_in_samples = format.name == "folded"
    assert read.total_value == (117 if counted_in_samples else 117 * PERIOD_NS)
    stacks = {tuple(frame.function for frame in stack): value for stack, _, value in read.stacks()}
    assert stacks["worker", "main", "work"] == (93 if counted_in_samples else 93 * PERIOD_NS)


def test_folded_stacks_count_samples_or_the_unit(address: str) -> None:
    samples, value = (
        get(address, "/api/v1/profiles", value=column, **HOST_A).body.decode().splitlines()
        for column in ("samples", "value")
    )
    assert "worker;main;work 93" in samples
    assert "worker;main;work 930000000" in value


def test_every_answer_forbids_what_it_does_not_need(address: str) -> None:
    for path in ("/", FLAMEGRAPH, "/api/v1/nothing", "/healthz"):
        headers = get(address, path).headers
        policy = dict(
            part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";")
        )
        assert policy["default-src"] == "'none'"
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Server" not in headers


def test_large_answers_are_compressed_for_those_who_can_read_them(address: str) -> None:
    path = "/api/v1/openapi.json"
    plain = get(address, path)
    packed = get(address, path, {"Accept-Encoding": "br, gzip;q=0.5"})
    refused = get(address, path, {"Accept-Encoding": "gzip;q=0"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) < int(plain.headers["Content-Length"])
    assert packed.body == plain.body == refused.body
    assert refused.headers["Content-Encoding"] is None


def test_a_page_that_is_not_built_says_how_to_build_it(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "_STATIC", tmp_path)
    answer = get(address, "/")
    assert (answer.status, answer.body.count(b"\n")) == (503, 1)
    assert b"run `make web`" in answer.body


def test_assets_are_kept_and_nothing_else_is_served(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "main-ABC.js").write_text("1")
    (tmp_path / "secret").write_text("2")
    monkeypatch.setattr(pages, "_ASSETS", tmp_path / "assets")
    kept = get(address, "/assets/main-ABC.js")
    assert kept.headers["Content-Type"].startswith("text/javascript")
    assert "immutable" in kept.headers["Cache-Control"]
    assert get(address, "/assets/../secret").status == 404
    assert get(address, "/assets/%2e%2e/secret").status == 404


def test_health_and_readiness_are_two_things(sqlite_server: Server) -> None:
    address = sqlite_server.http_address
    assert (get(address, "/healthz").status, get(address, "/readyz").status) == (200, 200)
    with sqlite_server.database.write() as transaction:
        transaction.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    ready = get(address, "/readyz")
    assert (get(address, "/healthz").status, ready.status) == (200, 503)
    assert "newer than this profiler" in ready.json["detail"]


def test_a_database_that_fails_is_said_and_nothing_more(sqlite_server: Server) -> None:
    with sqlite_server.database.write() as transaction:
        transaction.execute(sa.text("DROP TABLE series"))
    answer = get(sqlite_server.http_address, FLAMEGRAPH)
    assert answer.status == 503
    assert "no such table: series" in answer.json["detail"]
    assert "Traceback" not in answer.body.decode()


def test_requests_are_timed_by_route_and_not_by_what_strangers_type(sqlite_server: Server) -> None:
    address = sqlite_server.http_address
    for path in ("/api/v1/labels/a/values", "/api/v1/labels/b/values", "/x", "/y"):
        get(address, path)
    text = get(address, "/metrics").body.decode()
    assert (
        'http_request_seconds_count{route="/api/v1/labels/<name>/values",status="200"} 2.0' in text
    )
    assert 'http_request_seconds_count{route="none",status="404"} 2.0' in text


def test_other_methods_are_refused_with_those_there_are(address: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://{address}{FLAMEGRAPH}", data=b"x")
    with refused.value as answer:
        assert answer.status == 405
        assert "GET" in answer.headers["Allow"]


def test_connections_that_say_nothing_keep_nobody_out(sqlite_server: Server) -> None:
    host, _, port = sqlite_server.http_address.rpartition(":")
    with ExitStack() as idle:
        for _ in range(200):
            opened = idle.enter_context(socket.create_connection((host, int(port))))
            opened.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        assert get(sqlite_server.http_address, "/healthz").status == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [("evil.example", 421), ("localhost:8440", 200), ("a.localhost", 200), ("127.0.0.1", 200)],
)
def test_a_loopback_server_answers_no_strangers_name(
    sqlite_server: Server, host: str, status: int
) -> None:
    request = urllib.request.Request(
        f"http://{sqlite_server.http_address}/api/v1/profile-types", headers={"Host": host}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            assert response.status == status
    except urllib.error.HTTPError as error:
        assert error.code == status
        error.close()
