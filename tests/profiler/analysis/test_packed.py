"""The packed form against JSON, read by a reader of a few lines; the page's own reads a golden."""

import json
from itertools import islice
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from profiler.analysis import flamegraph, packed
from profiler.model import Profile
from tests.builders import profile
from tests.profiler.strategies import profiles


def numbers(data: bytes) -> list[int]:
    found, value, place = [], 0, 0
    for byte in data:
        value |= (byte & 127) << place
        place += 7
        if byte < 128:
            found.append(value)
            value = place = 0
    return found


def read(data: bytes) -> dict[str, Any]:
    """As `columns` has it."""
    length = int.from_bytes(data[:4], "little")
    answer: dict[str, Any] = json.loads(data[4 : 4 + length])
    nodes, rest = answer["nodes"], iter(data[4 + length :])
    coded = {name: numbers(bytes(islice(rest, n))) for name, n in nodes["bytes"].items()}
    assert next(rest, None) is None
    depth, frame, following = [0], [-1], 0
    for up, back in zip(coded["up"][1:], coded["frame"], strict=True):
        depth.append(depth[-1] + 1 - up)
        frame.append(following - back)
        following += back == 0
    extra = [n // 2 if n % 2 == 0 else -(n + 1) // 2 for n in coded["extra"]]
    total = [(a + b) * nodes["scale"] for a, b in zip(coded["samples"], extra, strict=True)]
    own = [n - left * nodes["scale"] for n, left in zip(total, coded["unsent"], strict=True)]
    path: list[int] = []
    for node, level in enumerate(depth):
        del path[level:]
        if path:
            own[path[-1]] -= total[node]
        path.append(node)
    columns = {"depth": depth, "frame": frame, "self": own, "total": total}
    return answer | {"nodes": columns | {"samples": coded["samples"]}}


@given(profiles(), st.integers(1, 20))
def test_the_packed_form_says_what_the_columns_say(given: Profile, most: int) -> None:
    graph = flamegraph.build(given, most)
    assert read(packed.pack(graph, {"more": 1})) == json.loads(
        packed._dumps(packed.columns(graph) | {"more": 1})
    )


def test_values_that_are_no_multiple_of_the_samples_are_exact() -> None:
    given = profile("main;f 3", "main;g 5", period=2**50 + 1)
    odd = Profile(given.frames, given.parents, given.node_frames, given.samples, given.values + 7)
    graph = flamegraph.build(odd, 3)
    assert read(packed.pack(graph, {}))["nodes"]["total"] == graph.totals.tolist()


@given(st.lists(st.integers(0, 2**63 - 1)))
def test_varints_are_leb128(column: list[int]) -> None:
    assert numbers(packed.varints(np.array(column, np.int64))) == column
