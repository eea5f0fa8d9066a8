"""What is said where nothing was selected, and why."""

import pytest

from profiler.cli import nothing
from profiler.cli.options import Selection
from tests.profiler.cli.conftest import Run
from tests.profiler.cli.fake_server import FakeServer


@pytest.fixture
def shop(server: FakeServer) -> FakeServer:
    server.answer("/api/v1/profile-types", {"profile_types": [{"name": "cpu"}]})
    for label, values in {"service_name": ["shop", "till\x1b"], "sevice_name": []}.items():
        server.answer(f"/api/v1/labels/{label}/values", {"values": values})
    return server


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("cpu", ""),
        ("cpuu", "no profile type is 'cpuu'; there are: cpu"),
        ('cpu{service_name="shp"}', "no service_name is 'shp'; there are: shop, …"),
        ('cpu{service_name="xyz"}', "no service_name is 'xyz'; there are: shop, till\ufffd"),
        ('cpu{service_name="shop",service_name=~"x.*"}', ""),
        ('cpu{sevice_name="shop"}', "no series has a label sevice_name in this range"),
        ('cpu{host_name="a"}', ""),  # which this server does not answer
        ("cpu{", ""),
    ],
)
def test_the_first_mistake_is_named_with_what_there_is(
    shop: FakeServer, query: str, reason: str
) -> None:
    assert nothing.why(Selection(query, shop.url, "now-1h", "now")) == reason


def test_an_empty_server_is_said_to_be_one(server: FakeServer) -> None:
    server.answer("/api/v1/profile-types", {"profile_types": []})
    said = nothing.said(Selection("cpu", server.url, "now-1h", "now"))
    assert said == (
        "no samples of cpu from now-1h to now: no profile type is 'cpu'; there are none yet"
    )


@pytest.mark.parametrize(
    ("command", "path", "answer"),
    [
        (["callers", "f"], "callers", {"functions": [], "total": {"samples": 9}}),
        (["hosts", "f"], "hosts", {"hosts": [], "hosts_total": 2}),
        (
            ["stacks", "--with", "f"],
            "stacks",
            {"found": {"samples": 0}, "total": {"samples": 9}},
        ),
    ],
)
def test_a_function_that_nothing_calls_is_named(
    server: FakeServer, run: Run, command: list[str], path: str, answer: dict[str, object]
) -> None:
    server.answer(f"/api/v1/{path}", answer)
    code, out, _ = run(*command, "--server", server.url)
    assert (code, out) == (0, "no function 'f' in the samples of cpu from now-1h to now\n")


@pytest.mark.parametrize(
    ("command", "path", "answer"),
    [
        (["coverage"], "coverage", {"buckets": []}),
        (["movers"], "movers", {"total": {"samples": 0}, "before": {"samples": 0}}),
        (["callers", "f"], "callers", {"functions": [], "total": {"samples": 0}}),
    ],
)
def test_a_range_without_samples_is_said_to_be_one(
    shop: FakeServer, run: Run, command: list[str], path: str, answer: dict[str, object]
) -> None:
    shop.answer(f"/api/v1/{path}", answer)
    code, out, _ = run(*command, 'cpu{service_name="shp"}', "--server", shop.url)
    assert code == 0
    assert 'no samples of cpu{service_name="shp"} from ' in out
    assert "no service_name is 'shp'" in out


def test_a_flamegraph_of_nothing_is_said_to_be_one(shop: FakeServer, run: Run) -> None:
    shop.answers["/api/v1/profiles"] = (200, "text/html", b"<html>")
    shop.answer("/api/v1/labels/host_name/values", {"from": 1000, "to": 2000, "values": []})
    code, out, err = run("flame", "cpuu", "--server", shop.url)
    assert (code, out) == (0, "<html>")
    assert err.startswith("no samples of cpuu from now-1h to now: no profile type is 'cpuu'")
