import csv
import io
import json
from typing import Any

import pytest

from profiler.cli import plot
from tests.profiler.cli.conftest import Run
from tests.profiler.cli.fake_server import FakeServer

PATH = "/api/v1/trend"
DAY = 86_400_000
FIRST = 1_767_225_600_000
DEPLOY = {
    **{"time": FIRST + 2 * DAY + 3_600_000, "last": 0, "service": "till\x1b[2J", "version": "7"},
    **{"previous": "6", "revision": "", "environment": "", "executable": "", "posted": True},
    **{"host": "", "hosts": 0},
}
CHANGE = {
    **{"time": FIRST + 2 * DAY + 7_200_000, "precision": 3_600_000, "before": 0.1, "after": 0.2},
    **{"deploys": [DEPLOY]},
}
LINE: dict[str, Any] = {
    **{"label_value": "", "function": "parse\x1b[2J", "file": "", "binary": "", "kind": "native"},
    **{"self_samples": [0, 0, 0, 0], "total_samples": [0, 10, 20, 20], "self": [0, 0, 0, 0]},
    **{"total": [0, DAY * 10**5, DAY * 2 * 10**5, DAY * 2 * 10**5], "clusters": [0, 2, 3, 24]},
    **{"all_samples": [0, 100, 100, 100], "all": [0, *([DAY * 10**6] * 3)]},
    **{"share": [0, 0.1, 0.2, 0.2], "low": [0, 0, 0.1, 0.1], "high": [1, 1, 0.3, 0.3]},
    "changes": [CHANGE],
}
FOUND: dict[str, Any] = {
    **{"unit": "nanoseconds", "from": FIRST, "to": FIRST + 4 * DAY, "step": DAY},
    **{"times": [FIRST + day * DAY for day in range(4)], "by": "", "cluster": "hour"},
    **{"lines": [LINE], "lines_total": 3, "hidden": {"lines": 2, "values": 0}},
    "deploys": [DEPLOY],
}


def test_the_picture_has_shares_deploys_and_changes(server: FakeServer, run: Run) -> None:
    server.answer(PATH, FOUND)
    code, out, err = run("history", "parse", "--server", server.url)
    assert (code, err) == (0, "")
    assert [line.rstrip() for line in out.splitlines()] == [
        "parse�[2J",
        "  20.00 %   ██",
        "            ██",
        "           ███",
        "           ███",
        "            ^",
        "          2026-01-01 to 2026-01-04",
        "              share      95 % interval  cores  samples",
        "2026-01-02  10.00 %  unknown (2 hours)    0.1       10",
        "2026-01-04  20.00 %   10.00 to 30.00 %    0.2       20",
        "all         16.67 %                     0.125       50",
        "changed 2026-01-03 02:00Z: 10.00 % to 20.00 % (+100 %), after the deploy of till�[2J 7 "
        "after 6 at 2026-01-03 01:00Z",
        "",
        "and 2 more lines (--limit)",
    ]


def test_csv_has_a_row_a_line_and_day(server: FakeServer, run: Run) -> None:
    server.answer(PATH, FOUND)
    _, out, _ = run("history", "parse", "--server", server.url, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["share"] for row in rows] == ["0", "0.1", "0.2", "0.2"]
    assert [row["cores"] for row in rows] == ["0.0", "0.1", "0.2", "0.2"]
    assert rows[3]["time"] == str(FIRST + 3 * DAY)


def test_a_name_that_no_function_has_is_an_expression(server: FakeServer, run: Run) -> None:
    server.answer(PATH, FOUND | {"lines": [], "hidden": {"lines": 0, "values": 0}})
    given = ["--by", "host_name", "--from", "now-30d", "--server", server.url]
    server.answer("/api/v1/labels/host_name/values", {"from": 1000, "to": 2000, "values": ["a"]})
    assert run("history", "pa.*", 'cpu{host_name="a"}', *given)[1] == (
        "no function 'pa.*' in the samples of cpu{host_name=\"a\"} from now-30d to now\n"
    )
    (_, first), (_, second), _ = server.asked
    assert first == {
        **{"query": 'cpu{host_name="a"}', "from": "now-30d", "to": "now", "step": "1d"},
        **{"by": "host_name", "cost": "total", "limit": "5", "function": "pa.*"},
    }
    others = {name: text for name, text in first.items() if name != "function"}
    assert second == others | {"match": "pa.*"}


@pytest.mark.parametrize("answer", [{}, FOUND | {"lines": [{}]}])
@pytest.mark.parametrize("format", ["table", "csv"])
def test_another_answer_is_said_to_be_one(
    server: FakeServer, run: Run, answer: dict[str, object], format: str
) -> None:
    server.answer(PATH, answer)
    code, _, err = run("history", "parse", "--server", server.url, "--format", format)
    assert code == 1
    assert "answers otherwise than this version reads" in err


def test_json_is_the_answer(server: FakeServer, run: Run) -> None:
    server.answer(PATH, FOUND)
    _, out, _ = run("history", "parse", "--server", server.url, "--format", "json")
    assert json.loads(out) == FOUND


def test_columns_show_what_is_there_at_all() -> None:
    assert plot.columns([0, 0.001, 1, 8], 2) == ["   █", " ▁▂█"]
    assert plot.columns([], 2) == ["", ""]
    assert plot.columns([0, 0], 1) == ["  "]


def test_numbers_are_narrowed_to_means() -> None:
    assert plot.narrowed([1, 3, 5, 7, 9], 2) == [2, 7]
    assert plot.narrowed([1, 3], 2) == [1, 3]
    assert [plot.place(index, 5, 2) for index in range(5)] == [0, 0, 1, 1, 1]
