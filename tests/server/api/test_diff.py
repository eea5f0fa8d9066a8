"""What is compared with what, by default and as asked."""

import pytest

from tests.server.client import get

MINUTE = {"from": "2026-01-01T00:00:10Z", "to": "2026-01-01T00:00:20Z"}


def test_by_default_the_range_before_is_the_baseline(address: str) -> None:
    found = get(address, "/api/v1/diff", **MINUTE).json
    before, after = found["sides"]
    assert (before["to"], after["from"]) == (after["from"], 1_767_225_610_000)
    assert after["to"] - after["from"] == before["to"] - before["from"] == 10_000
    assert before["query"] == after["query"] == "cpu"
    assert found["nodes"]["samples"][0] == after["total"]["samples"]
    assert found["nodes"]["samples_before"][0] == before["total"]["samples"]


def test_hosts_that_stand_on_both_sides_are_pairs(address: str) -> None:
    found = get(address, "/api/v1/diff", **MINUTE).json
    assert found["sides"][0]["units"] == found["sides"][1]["units"] == 2
    assert found["paired"] and not found["clustered"]


def test_cores_are_those_of_a_unit(address: str) -> None:
    found = get(address, "/api/v1/diff", **MINUTE, per="cores").json
    (main,) = (one for one in found["functions"] if one["function"] == "main")
    value = found["nodes"]["total"][found["nodes"]["depth"].index(2)]
    assert main["total"]["after"] == pytest.approx(value / 10e9 / 2)


@pytest.mark.parametrize(
    ("query", "status", "detail"),
    [
        ({"baseline": "page_faults"}, 422, "the baseline has no samples"),
        ({"baseline_from": "2026-01-01T00:00:00Z"}, 400, "baseline_to: not a time: ''"),
        ({"baseline": "cpu{"}, 400, "baseline: "),
        ({"per": "request"}, 400, "per: 'request', choose from share, cores"),
        ({"max_nodes": "0"}, 400, "max_nodes: '0', expected a number"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    address: str, query: dict[str, str], status: int, detail: str
) -> None:
    answer = get(address, "/api/v1/diff", **{**MINUTE, **query})
    assert answer.status == status
    assert detail in answer.json["detail"]
