"""What is done with stacks on their way out: the same for all that answer with some."""

import gzip
import json
import re
from base64 import b64decode
from typing import Any

import pytest

from profiler.formats import folded
from tests.builders import stacks
from tests.server.client import get

MINUTE = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T00:01:00Z"}


def exported(address: str, **shown: str) -> dict[tuple[str, ...], int]:
    return stacks(folded.loads(get(address, "/api/v1/profiles", **MINUTE, **shown).body))


def drawn(address: str, **shown: str) -> dict[tuple[str, ...], int]:
    """Self samples of each stack of the flamegraph."""
    answer: dict[str, Any] = get(address, "/api/v1/flamegraph", **MINUTE, **shown).json
    names = [answer["strings"][number] for number in answer["frames"]["function"]]
    nodes, path = answer["nodes"], [""]
    period = answer["total"]["value"] // answer["total"]["samples"]
    found: dict[tuple[str, ...], int] = {}
    for depth, frame, own in zip(nodes["depth"], nodes["frame"], nodes["self"], strict=True):
        path[depth:] = [names[frame]] if depth else [""]
        if own:
            found[tuple(path[1:])] = own // period
    return found


@pytest.mark.parametrize(
    "shown",
    [
        {},
        {"focus": "^work$"},
        {"hide": "main|kind:marker", "threads": "merge"},
        {"fold": ".", "recursion": "collapse"},
        {"group": "kind"},
        {"group": "label:host_name", "hide": "main"},
        {"group": "label:no_such_label"},
    ],
)
def test_the_flamegraph_and_the_export_show_the_same_stacks(
    address: str, shown: dict[str, str]
) -> None:
    assert drawn(address, **shown) == exported(address, **shown)


def test_a_label_stands_at_the_root_with_the_sums_of_its_values(address: str) -> None:
    answer: dict[str, Any] = get(
        address, "/api/v1/flamegraph", **MINUTE, group="label:service_name"
    ).json
    names = [answer["strings"][number] for number in answer["frames"]["function"]]
    nodes = answer["nodes"]
    totals = {
        names[frame]: samples
        for depth, frame, samples in zip(
            *(nodes[c] for c in ("depth", "frame", "samples")), strict=True
        )
        if depth == 1
    }
    assert len(totals) > 1
    for service, total in totals.items():
        query = f'cpu{{service_name="{service}"}}'
        one: dict[str, Any] = get(address, "/api/v1/top", query=query, **MINUTE).json
        assert one["total"]["samples"] == total


def test_tables_and_callers_are_of_the_same_stacks(address: str) -> None:
    shown = {**MINUTE, "hide": "^(main|read)$", "recursion": "collapse"}
    top: dict[str, Any] = get(address, "/api/v1/top", **shown).json
    assert not {"main", "read"} & {row["function"] for row in top["functions"]}
    callers: dict[str, Any] = get(address, "/api/v1/callers", function="do_read", **shown).json
    trees = callers["callers"]
    assert [trees["strings"][n] for n in trees["frames"]["function"]] == ["do_read", "worker"]


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("focus", "("),
        ("hide", "(?=x)"),
        ("fold", "x" * 1001),
        ("threads", "split"),
        ("recursion", "1"),
        ("group", "colour"),
        ("group", "label:"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_name(
    address: str, parameter: str, value: str
) -> None:
    for path in ("flamegraph", "top", "profiles"):
        answer = get(address, f"/api/v1/{path}", **{parameter: value})
        assert (answer.status, answer.json["parameter"]) == (400, parameter)


@pytest.mark.parametrize("format", ["html", "svg"])
def test_a_picture_is_of_the_same_stacks(address: str, format: str) -> None:
    shown = {"focus": "^work$", "hide": "^main$"}
    answer = get(address, "/api/v1/profiles", **MINUTE, **shown, format=format)
    assert answer.headers["Content-Disposition"] == f"attachment; filename=cpu.{format}"
    (held,) = re.findall(rb'id="flamegraph">([^<]*)<', answer.body)
    packed = gzip.decompress(b64decode(held))
    strings = json.loads(packed[4 : 4 + int.from_bytes(packed[:4], "little")])["strings"]
    assert sorted(strings) == ["", "work", "worker"]
