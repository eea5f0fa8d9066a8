"""Questions about a fleet, on one in which a host is odd, a function new, and another one gone."""

from collections.abc import Iterator

import pytest

from profiler.model import Drain
from server.app import Server
from tests.server.client import config, get, send_all
from tests.server.drains import MIDNIGHT, SECOND, drain, series

HOSTS = [f"h{number}" for number in range(8)]
DAY = 86400 * SECOND
DAYS = 8
"""Four before, four now."""

BEFORE_AND_NOW = {
    "from": "2026-01-05T00:00:00Z",
    "to": "2026-01-09T00:00:00Z",
    "since": "4d",
}


def lines(host: int, day: int) -> list[str]:
    """1,000 samples: spin has 10 %, on h5 30 %; from the fifth day on parse has 20 %, not 10 %, and
    fresh is there in place of stale."""
    spin, parse = (300 if host == 5 else 100) + host, (200 if day >= 4 else 100) + day % 3
    other = "fresh" if day >= 4 else "stale"
    return [
        f"main;lock;spin {spin}",
        f"main;lock;parse;[truncated: depth] {parse - 50}",
        "main;parse 50",
        f"main;{other} 10",
        f"thread:lock;main;serve {990 - spin - parse}",
    ]


def drains(host: int) -> Iterator[Drain]:
    for day in range(DAYS):
        yield drain(
            series(*lines(host, day), host=HOSTS[host]),
            host=HOSTS[host],
            start_ns=MIDNIGHT + day * DAY,
            losses={"ring_full": host} if day == 2 and host else {},
        )


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    url = f"sqlite:///{tmp_path_factory.mktemp('questions')}/profiler.db"
    with Server(config(url)) as server:
        for number in range(len(HOSTS)):
            send_all(server.grpc_address, drains(number), number + 1)
        yield server.http_address


def names(rows: list[dict[str, str]]) -> list[str]:
    return [row["function"] for row in rows]


@pytest.mark.parametrize("query", ["cpu", 'cpu{host_name=~"h.*"}', 'cpu{host_name!="h9"}'])
def test_movers_have_exact_shares_and_an_interval_around_their_difference(
    address: str, query: str
) -> None:
    found = get(address, "/api/v1/movers", query=query, cost="total", **BEFORE_AND_NOW).json
    assert set(names(found["movers"][:3])) == {"parse", "lock", "serve"}
    rows = {row["function"]: row for row in found["movers"]}
    parse, serve = rows["parse"], rows["serve"]
    per_day = [sum(100 + day % 3 for _ in HOSTS) for day in range(4)]
    assert parse["total_samples_before"] == sum(per_day)
    assert parse["share_before"] == pytest.approx(sum(per_day) / 32_000)
    for row in (parse, serve):
        assert row["low"] < row["share"] - row["share_before"] < row["high"]
    assert parse["low"] > 0
    assert serve["high"] < 0
    assert [name for name, row in rows.items() if row["noise"]] == []
    assert found["units"] == {"before": 4, "now": 4}
    assert found["total"]["samples"] == found["before"]["samples"] == 32_000


def test_hosts_are_the_units_of_a_part_of_a_service(address: str) -> None:
    asked = {"query": 'cpu{host_name=~"h[0-4]"}', **BEFORE_AND_NOW}
    assert get(address, "/api/v1/movers", **asked).json["units"] == {"before": 5, "now": 5}


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        ("new", ["fresh"]),
        ("gone", ["stale"]),
        ("grown", ["parse", "fresh"]),
        ("shrunk", ["serve", "stale"]),
    ],
)
def test_only_some_movers(address: str, only: str, expected: list[str]) -> None:
    asked = {"only": only, "cost": "total", "query": 'cpu{host_name="h1"}', **BEFORE_AND_NOW}
    found = get(address, "/api/v1/movers", **asked).json
    assert [name for name in names(found["movers"]) if name != "lock"] == expected
    for row in found["movers"]:
        assert (row["low"], row["high"]) == (-1, 1)  # one host
        assert row["noise"]


def test_another_selector_and_range_can_stand_before(address: str) -> None:
    asked = {
        **{"query": 'cpu{host_name="h5"}', "before": 'cpu{host_name="h4"}', "only": "grown"},
        **{"from": "2026-01-01", "to": "2026-01-02"},
    }
    asked |= {name: f"{text}T00:00:00Z" for name, text in asked.items() if text[:2] == "20"}
    asked |= {"before_from": asked["from"], "before_to": asked["to"]}
    found = get(address, "/api/v1/movers", **asked).json
    (spin,) = found["movers"]
    assert (spin["self_samples_before"], spin["self_samples"]) == (104, 305)


@pytest.mark.parametrize(
    ("asked", "parameter"),
    [
        ({"before": "off_cpu"}, "before"),
        ({"before_from": "now-1d"}, "before_to"),
        ({"only": "some"}, "only"),
        ({"since": "30000d"}, "since"),
        ({"before": "cpu{"}, "before"),
    ],
)
def test_sides_that_cannot_be_meant_are_refused(
    address: str, asked: dict[str, str], parameter: str
) -> None:
    answer = get(address, "/api/v1/movers", **{**BEFORE_AND_NOW, **asked})
    assert (answer.status, answer.json["parameter"]) == (400, parameter)


RANGE = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}


@pytest.mark.parametrize(
    ("having", "lacking", "samples"),
    [
        ("lock", None, sum(100 + host + 50 + 200 * (host == 5) for host in range(8))),
        ("lock", "parse", sum(100 + host + 200 * (host == 5) for host in range(8))),
        ("lock", "sp.*", 8 * 50),
        ("parse", "lock", 8 * 50),
        ("(parse|stale)", None, 8 * 110),
        ("main", "main", 0),
        ("nothing(", None, 0),
    ],
)
def test_stacks_with_and_without_are_exact(
    address: str, having: str, lacking: str | None, samples: int
) -> None:
    asked = {"with": having, **({} if lacking is None else {"without": lacking})}
    found = get(address, "/api/v1/stacks", **asked, **RANGE).json
    assert found["found"] == {"value": samples * 10**7, "samples": samples}
    assert found["stacks"]["total"]["samples"] == samples
    assert found["total"]["samples"] == 8000
    assert sum(row["self_samples"] for row in found["functions"]) == samples
    assert lacking not in names(found["functions"])


def test_the_odd_host_is_the_outlier(address: str) -> None:
    found = get(address, "/api/v1/hosts", function="spin", **RANGE).json
    assert [row["host_name"] for row in found["hosts"] if row["outlier"]] == ["h5"]
    assert found["hosts"][0] == {
        **{"host_name": "h5", "value": 305 * 10**7, "samples": 305, "all": 10**10},
        **{"all_samples": 1000, "share": 0.305, "z": found["hosts"][0]["z"], "outlier": True},
    }
    assert (found["hosts_total"], found["outliers"]) == (8, 1)
    assert get(address, "/api/v1/hosts", function="parse", **RANGE).json["outliers"] == 0
    nothing = get(address, "/api/v1/hosts", match="no.*", query='cpu{host_name="z"}', **RANGE)
    assert nothing.json["hosts"] == []


def test_coverage_has_hosts_samples_and_losses_of_each_day(address: str) -> None:
    week = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-20T00:00:00Z"}
    found = get(address, "/api/v1/coverage", **week).json
    assert len(found["buckets"]) == DAYS
    third = found["buckets"][2]
    losses = [{"cause": "ring_full", "samples": 28}]
    assert (third["hosts"], third["taken"], third["losses"]) == (8, 8028, losses)
    one = get(address, "/api/v1/coverage", query='cpu{host_name="h3"}', step="1h", **week).json
    assert [row["hosts"] for row in one["buckets"]] == [1] * DAYS
    assert sum(row["taken"] for row in one["buckets"]) == 8003
