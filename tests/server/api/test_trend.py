"""A function that becomes dearer with a deploy, seen in the answers about weeks."""

from collections.abc import Iterator

import pytest

from profiler.model import Drain
from server.app import Server
from tests.server.client import config, get, post, send_all
from tests.server.drains import MIDNIGHT, SECOND, drain, series

DAYS = 24
CHANGED = 15
HOUR = 3600 * SECOND
DAY = 24 * HOUR
RANGE = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-25T00:00:00Z"}
HOSTS = ("a", "b", "c")


def samples(day: int, hour: int, host: int) -> tuple[int, int]:
    """Of parse and of the rest: parse has a tenth, from noon of a day on a fifth; the hosts and the
    days differ a little."""
    dearer = (day, hour) >= (CHANGED, 12)
    mine = (200 if dearer else 100) + (day * 7 + hour + host * 5) % 11
    return mine, 1000 - mine


def drains(number: int, host: str) -> Iterator[Drain]:
    for day in range(DAYS):
        for hour in (0, 6, 12, 18):
            parse, rest = samples(day, hour, number)
            lines = (f"main;parse {parse}", f"main;serve {rest}")
            others = series("main;parse 100", "main;wait 900", host=host, service="till")
            start_ns = MIDNIGHT + day * DAY + hour * HOUR
            yield drain(series(*lines, host=host), others, host=host, start_ns=start_ns)


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    url = f"sqlite:///{tmp_path_factory.mktemp('weeks')}/profiler.db"
    with Server(config(url)) as server:
        for number, host in enumerate(HOSTS):
            send_all(server.grpc_address, drains(number, host), number + 1)
        for service, version, day, hour in (
            ("checkout", "1.3", 3, 0),
            ("checkout", "1.4", CHANGED, 11),
            ("till", "7", CHANGED, 12),
        ):
            time = (MIDNIGHT + day * DAY + hour * HOUR) // SECOND
            body = {"service": service, "version": version, "time": time}
            assert post(server.http_address, "/api/v1/deploys", body).status == 201
        yield server.http_address


@pytest.mark.parametrize("cluster", ["hour", "host"])
def test_a_change_is_marked_and_attributed_to_the_deploy_before_it(
    weeks: str, cluster: str
) -> None:
    query = 'cpu{service_name="checkout"}'
    found = get(weeks, "/api/v1/trend", query=query, function="parse", cluster=cluster, **RANGE)
    (line,) = found.json["lines"]
    (change,) = line["changes"]
    assert (round(change["before"], 2), round(change["after"], 2)) == (0.11, 0.2)
    assert [one["version"] for one in change["deploys"]] == ["1.4"]
    first = (MIDNIGHT + CHANGED * DAY + 12 * HOUR) // 10**6
    if cluster == "hour":
        assert (change["time"], change["precision"]) == (first, HOUR // 10**6)
    else:
        assert change["precision"] == DAY // 10**6
        assert change["time"] in (first - HOUR // 10**6 * 12, first + HOUR // 10**6 * 12)
    assert [one["version"] for one in found.json["deploys"]] == ["1.4", "1.3"]


def test_each_service_has_its_own_changes_and_deploys(weeks: str) -> None:
    asked = {"function": "parse", "by": "service_name", **RANGE}
    lines = get(weeks, "/api/v1/trend", **asked).json["lines"]
    assert {line["label_value"]: len(line["changes"]) for line in lines} == {
        "checkout": 1,
        "till": 0,
    }
    assert lines[0]["changes"][0]["deploys"][0]["service"] == "checkout"


def test_the_share_stands_within_its_interval_and_every_cluster_counts(weeks: str) -> None:
    for cluster, count in (("hour", 4), ("host", 3)):
        asked = {"function": "parse", "cluster": cluster, **RANGE}
        (line,) = get(weeks, "/api/v1/trend", **asked).json["lines"]
        assert line["clusters"] == [count] * DAYS
        for low, share, high in zip(line["low"], line["share"], line["high"], strict=True):
            assert 0 < low < share < high < 1
        expected = [
            sum(100 + samples(day, hour, n)[0] for hour in (0, 6, 12, 18) for n in range(3))
            for day in range(DAYS)
        ]
        assert line["total_samples"] == expected


def test_hours_have_no_changes_and_a_deploy_long_before_is_no_cause(weeks: str) -> None:
    asked = {"function": "parse", "step": "1h", "from": "2026-01-15T00:00:00Z", "to": RANGE["to"]}
    (line,) = get(weeks, "/api/v1/trend", **asked).json["lines"]
    assert line["changes"] == []
    assert len(line["share"]) == 24 * 10


@pytest.mark.parametrize(
    ("asked", "parameter"),
    [
        ({}, "function"),
        ({"function": "f", "match": "f"}, "function"),
        ({"function": "f", "step": "1m"}, "step"),
        ({"match": "["}, "match"),
        ({"function": "f", "step": "1h", "from": "0", "to": "now"}, "from"),
    ],
)
def test_what_cannot_be_meant_is_refused(weeks: str, asked: dict[str, str], parameter: str) -> None:
    answer = get(weeks, "/api/v1/trend", **asked)
    assert (answer.status, answer.json["parameter"]) == (400, parameter)


def test_hours_as_clusters_are_for_whole_services(weeks: str) -> None:
    asked = {"function": "parse", "by": "host_name", "cluster": "hour", **RANGE}
    answer = get(weeks, "/api/v1/trend", **asked)
    assert (answer.status, answer.json["detail"].split(":")[0]) == (400, "cluster")
