"""Files of every kind into a real server and out again."""

import gzip
import io
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from profiler import wire
from profiler.formats import folded, pprof
from profiler.model import Drain, ProfileType
from tests.browser.served import Served, serving
from tests.builders import profile, stacks
from tests.profiler.cli.conftest import Run, run

__all__ = ["run"]

BYTES = ProfileType("heap.in-use", "bytes")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("server")) as served:
        yield served


def of(server: Served, query: str, start: str = "now-1h") -> dict[tuple[str, ...], int]:
    text = server.text("profiles", query=query, **{"from": start, "to": "now"})
    return stacks(folded.loads(text.encode()))


def test_what_is_imported_is_shown_once(server: Served, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "job.v2.pb.gz"
    parts = [
        profile("main;f 3", labels=(("host.name", "a"), ("zone", "x"))),
        profile("main;h 1", type=BYTES, period=4096),
    ]
    path.write_bytes(pprof.dumps_all(parts))
    other = tmp_path / "other.folded"
    other.write_text("main;f 5\n")
    into = ["--server", server.collectors, "--label", "service_version=2", "--host-name", "ci"]
    for _ in range(2):
        code, _, err = run("import", str(path), str(other), *into)
        assert (code, err) == (
            0,
            f"profiler: stored 9 samples of 2 files; to {server.collectors}\n",
        )
    assert of(server, 'cpu{host_name="a",zone="x",service_name="job"}') == {("main", "f"): 3}
    assert of(server, 'heap_in_use{service_version="2"}') == {("main", "h"): 1}
    assert of(server, 'samples{host_name="ci",service_name="other"}') == {("main", "f"): 5}
    found = server.get("flamegraph", query="heap_in_use", **{"from": "now-1h", "to": "now"})
    assert (found["unit"], found["total"]) == ("bytes", {"value": 4096, "samples": 1})


def test_a_recording_keeps_its_accounts_and_times(server: Served, run: Run, tmp_path: Path) -> None:
    file = io.BytesIO()
    now = time.time_ns() // 10**9 * 10**9
    for second in range(3):
        part = profile("main;f 4", labels=(("host_name", "h"), ("service_name", "s")))
        drain = Drain("h", now - (60 - second) * 10**9, 10**9, 5, {"ring_full": 1}, (part,))
        wire.write_batch(file, wire.encode(drain, bytes(16), second + 1))
    path = tmp_path / "node.pb.packed"
    path.write_bytes(gzip.compress(file.getvalue()))
    code, _, err = run("import", str(path), "--server", server.collectors, "--label", "zone=z")
    assert (code, err.partition(";")[0]) == (0, "profiler: stored 12 samples of 1 file")
    whole = server.get("flamegraph", query='cpu{zone="z"}', **{"from": "now-1h", "to": "now"})
    assert whole["total"]["samples"] == 12
    assert whole["accounts"] == {
        "taken": 15,
        "stored": 12,
        "losses": [{"cause": "ring_full", "samples": 3}],
    }


def test_what_cannot_be_imported_is_named(server: Served, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.folded"
    path.write_text("main 1\n?\n")
    into = ("--server", server.collectors)
    code, _, err = run("import", str(path), *into)
    assert code == 2 and f"{path}: line 2: expected a count" in err
    code, _, err = run("import", str(path), "--skip-bad-lines", "--time", "1", *into)
    assert code == 0 and "left out line 2" in err
    code, _, err = run("import", str(path), "--label", "a.b=1", *into)
    assert (code, err) == (2, "profiler: --label 'a.b=1': expected NAME=VALUE\n")
    code, _, err = run("import", str(tmp_path / "nothing.x"), *into)
    assert code == 2 and "no file" in err
    code, _, err = run("import", str(path), "--skip-bad-lines", "--server", "127.0.0.1:1")
    assert code == 1 and "the server refuses: " in err


def test_the_standard_input_is_imported(
    server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    class Stdin:
        buffer = io.BytesIO(b"main;f 7\n")

    monkeypatch.setattr("sys.stdin", Stdin())
    labels = ("--label", "service_name=stdin")
    assert run("import", "-", "--server", server.collectors, *labels)[0] == 0
    assert of(server, 'samples{service_name="stdin"}') == {("main", "f"): 7}
