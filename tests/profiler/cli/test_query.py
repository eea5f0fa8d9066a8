import json
from pathlib import Path

import pytest

from tests.profiler.cli.conftest import Run
from tests.profiler.cli.fake_server import FakeServer

TOP = {
    "unit": "nanoseconds",
    "total": {"value": 4_000_000_000, "samples": 400},
    "functions": [
        {
            "function": "spin\x1b[2J",
            "file": "a.c",
            "binary": "/bin/a",
            "kind": "native",
            "self": 3_000_000_000,
            "total": 3_500_000_000,
            "self_samples": 300,
            "total_samples": 350,
        }
    ],
    "functions_total": 3,
}
CONTEXT = {
    "accounts": {"taken": 410, "stored": 400, "losses": [{"cause": "ring_full", "samples": 10}]},
    "coverage": {"hosts": 1, "series": 2, "profiles": 3, "recorded": False},
}


def lay_down(server: FakeServer, **context: object) -> None:
    server.answer("/api/v1/top", TOP | CONTEXT | context)


def test_the_table_shows_shares_amounts_and_what_was_lost(server: FakeServer, run: Run) -> None:
    lay_down(server)
    code, out, err = run("query", "cpu{}", "--server", server.url, "--from", "now-5m")
    assert (code, err) == (0, "")
    headline, header, row, more, lost = out.splitlines()
    assert headline == "cpu{}: 4.0 s in 400 samples of 1 host"
    assert header.split() == ["self", "total", "function", "binary"]
    assert row.split() == ["75.0", "%", "3.0", "s", "87.5", "%", "3.5", "s", "spin�[2J", "/bin/a"]
    assert more == "and 2 more functions (--limit 0 shows all)"
    assert lost == "lost 10 of 410 samples taken on these hosts: ring_full 10"


def test_a_long_name_is_cut_and_leaves_the_numbers_their_room(server: FakeServer, run: Run) -> None:
    lay_down(server)
    row = TOP["functions"][0] | {"function": "f" * 400, "binary": "b" * 300}  # type: ignore[index]
    server.answer("/api/v1/top", TOP | CONTEXT | {"functions": [row]})
    _, out, _ = run("query", "--server", server.url)
    line = out.splitlines()[2]
    assert line.split()[:8] == ["75.0", "%", "3.0", "s", "87.5", "%", "3.5", "s"]
    assert line.count("…") == 2


def test_range_limit_and_order_are_asked_of_the_server(server: FakeServer, run: Run) -> None:
    lay_down(server)
    run("query", "--server", server.url, "--from", "now-5m", "--limit", "7", "--sort", "total")
    wanted = {"query": "cpu", "from": "now-5m", "to": "now", "limit": "7", "sort": "total"}
    assert server.asked[0] == ("/api/v1/top", wanted)


def test_nothing_lost_and_recorded_samples_are_said(server: FakeServer, run: Run) -> None:
    accounts = {"taken": 400, "stored": 400, "losses": []}
    coverage = {"hosts": 2, "series": 2, "profiles": 3, "recorded": True}
    lay_down(server, accounts=accounts, coverage=coverage)
    _, out, _ = run("query", "--server", server.url)
    assert "samples of 2 hosts (with recorded profiles)\n" in out
    assert out.endswith("nothing lost of 400 samples taken on these hosts\n")


def test_an_empty_range_is_said_in_words(server: FakeServer, run: Run) -> None:
    lay_down(server)
    empty = {"total": {"value": 0, "samples": 0}, "functions": [], "functions_total": 0}
    server.answer("/api/v1/top", TOP | CONTEXT | empty)
    _, out, _ = run("query", "--server", server.url)
    assert out.startswith("no samples of cpu from now-1h to now\n")


def test_json_is_the_answer_of_the_api(server: FakeServer, run: Run) -> None:
    lay_down(server)
    _, out, _ = run("query", "--server", server.url, "--format", "json")
    assert json.loads(out) == TOP | CONTEXT


def test_an_answer_of_another_version_is_one_line(server: FakeServer, run: Run) -> None:
    lay_down(server, accounts={})
    code, out, err = run("query", "--server", server.url)
    assert (code, out) == (1, "")
    assert err == (
        f"profiler: {server.url} answers otherwise than this version reads: KeyError('taken')\n"
    )


def test_formats_of_files_are_written_by_query_as_by_export(
    server: FakeServer, run: Run, tmp_path: Path
) -> None:
    server.answers["/api/v1/profiles"] = (200, "application/octet-stream", b"\x1f\x8b\x00")
    file = tmp_path / "cpu.pb.gz"
    assert run("query", "--server", server.url, "--format", "pprof", "-o", str(file))[0] == 0
    assert file.read_bytes() == b"\x1f\x8b\x00"
    assert server.asked[0][1]["format"] == "pprof"


def test_export_writes_folded_samples_to_the_standard_output(server: FakeServer, run: Run) -> None:
    server.answers["/api/v1/profiles"] = (200, "text/plain", b"main;f 3\n")
    assert run("export", "--server", server.url) == (0, "main;f 3\n", "")
    asked = {"query": "cpu", "from": "now-1h", "to": "now", "format": "folded", "value": "samples"}
    assert server.asked == [("/api/v1/profiles", asked)]


def test_export_takes_the_format_of_the_file_s_ending(
    server: FakeServer, run: Run, tmp_path: Path
) -> None:
    server.answers["/api/v1/profiles"] = (200, "application/json", b"{}")
    run("export", "--server", server.url, "-o", str(tmp_path / "a.speedscope.json"))
    run("export", "--server", server.url, "-o", str(tmp_path / "a.pb.gz"))
    run("export", "--server", server.url, "-o", str(tmp_path / "a.txt"))
    formats = [parameters["format"] for _, parameters in server.asked]
    assert formats == ["speedscope", "pprof", "folded"]


def test_an_empty_export_is_said(server: FakeServer, run: Run) -> None:
    server.answers["/api/v1/profiles"] = (200, "text/plain", b"")
    code, out, err = run("export", 'cpu{a="b"}', "--server", server.url)
    assert (code, out, err) == (0, "", 'no samples of cpu{a="b"} from now-1h to now\n')


def test_a_file_that_cannot_be_written_is_one_line(server: FakeServer, run: Run) -> None:
    server.answers["/api/v1/profiles"] = (200, "text/plain", b"a 1\n")
    code, _, err = run("export", "--server", server.url, "-o", "/nowhere/a.folded")
    assert (code, err) == (
        1,
        "profiler: cannot write /nowhere/a.folded: No such file or directory\n",
    )


def test_a_mistake_of_the_selector_leaves_with_2_and_shows_its_place(
    server: FakeServer, run: Run
) -> None:
    problem = {"detail": "query: expected }", "parameter": "query", "position": 4}
    server.answer("/api/v1/profiles", problem, 400)
    code, _, err = run("export", "cpu{:}", "--server", server.url)
    assert (code, err) == (2, "profiler: query: expected }\n  cpu{:}\n      ^\n")


def test_the_server_may_stand_in_the_environment(
    server: FakeServer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROFILER_SERVER", server.url)
    server.answers["/api/v1/profiles"] = (200, "text/plain", b"a 1\n")
    assert run("export")[1] == "a 1\n"
