import json

from tests.profiler.cli.conftest import Run
from tests.profiler.cli.fake_server import FakeServer

PATH = "/api/v1/alerts"
FIRING = {
    **{"name": "json", "query": "cpu", "function": "json", "cost": "total", "condition": "share"},
    **{"bound": "20%", "window": 900_000, "for": 0, "labels": {}, "annotations": {}},
    **{"state": "firing", "since": 1_767_225_600_000, "fired": 1_767_225_600_000},
    **{"evaluated": 1_767_225_660_000, "value": 0.25, "share": 0.25, "samples": 50},
    **{"detail": "25.00% of \x1b[2Jall", "error": ""},
}
FAILED = FIRING | {"name": "week", "state": "inactive", "since": 0, "error": "no database"}


def test_the_table_shows_how_each_rule_stands(server: FakeServer, run: Run) -> None:
    server.answer(PATH, {"every": 60_000, "alerts": [FIRING, FAILED]})
    code, out, err = run("alerts", "--server", server.url)
    assert (code, err) == (0, "")
    assert [" ".join(line.split()) for line in out.splitlines()] == [
        "rule state since condition found",
        "json firing 2026-01-01 00:00:00Z share of total > 20% 25.00% of �[2Jall",
        "week inactive share of total > 20% error: no database",
    ]


def test_without_rules_it_says_how_to_give_some(server: FakeServer, run: Run) -> None:
    server.answer(PATH, {"every": 60_000, "alerts": []})
    expected = "no rules (profiler serve --alerts FILE)\n"
    assert run("alerts", "--server", server.url) == (0, expected, "")


def test_json_is_the_answer_itself(server: FakeServer, run: Run) -> None:
    found = {"every": 60_000, "alerts": [FIRING]}
    server.answer(PATH, found)
    _, out, _ = run("alerts", "--server", server.url, "--format", "json")
    assert json.loads(out) == found


def test_an_answer_of_another_version_is_one_line(server: FakeServer, run: Run) -> None:
    server.answer(PATH, {"alerts": [{}]})
    code, out, err = run("alerts", "--server", server.url)
    assert (code, out) == (1, "")
    assert "answers otherwise than this version reads: KeyError('condition')" in err
