"""Commands that ask a server's fleet one question each."""

from typing import Any

import pytest

from tests.profiler.cli.conftest import Run
from tests.profiler.cli.fake_server import FakeServer

FIRST = 1_767_225_600_000
DAY = 86_400_000
NAMED = {"function": "parse\x1b[2J", "file": "", "binary": "shop", "kind": "native"}
ACCOUNTS = {"taken": 100, "stored": 100, "losses": []}
SUMS = {
    **{"self": 36 * 10**11, "total": 72 * 10**11, "self_samples": 10, "total_samples": 20},
}
MOVER = NAMED | {
    **{"self_samples": 5, "total_samples": 5, "self": 5, "total": 5, "self_samples_before": 3},
    **{"total_samples_before": 3, "self_before": 3, "total_before": 3, "share": 0.05},
    **{"share_before": 0.03, "low": 0.01, "high": 0.03, "noise": False},
}
ANSWERS: dict[str, dict[str, Any]] = {
    "movers": {
        **{"unit": "nanoseconds", "from": FIRST + 7 * DAY, "to": FIRST + 14 * DAY},
        "before": {"from": FIRST, "to": FIRST + 7 * DAY, "value": 9, "samples": 9},
        **{"total": {"value": 9, "samples": 9}, "units": {"before": 7, "now": 7}},
        "movers": [
            MOVER,
            MOVER | {"function": "fresh", "total_samples_before": 0, "low": -1, "high": 1},
        ],
        "hidden": {"movers": 4},
    },
    "stacks": {
        **{"unit": "nanoseconds", "total": {"value": 144 * 10**11, "samples": 40}},
        **{"found": {"value": 72 * 10**11, "samples": 20}, "functions": [NAMED | SUMS]},
        **{"functions_total": 3, "stacks": {}, "accounts": ACCOUNTS, "coverage": {}},
    },
    "hosts": {
        **{"unit": "nanoseconds", "median": 0.1, "hosts_total": 3, "outliers": 1},
        "hosts": [
            {
                **{"host_name": "a\x1b[2J", "value": 10**9, "samples": 100, "all": 2 * 10**9},
                **{"all_samples": 200, "share": 0.5, "z": 9.0, "outlier": True},
            }
        ],
    },
    "coverage": {
        **{"from": FIRST, "to": FIRST + DAY, "step": DAY},
        "buckets": [
            {
                **{"time": FIRST, "hosts": 2, "taken": 200, "stored": 190},
                "losses": [{"cause": "ring\x1b[2J", "samples": 10}],
            }
        ],
    },
    "callers": {
        **{"unit": "nanoseconds", "total": {"value": 40, "samples": 40}},
        "functions": [NAMED | SUMS],
        "callers": {
            "strings": ["", "parse", "main\x1b[2J", "rare"],
            "frames": {"function": [1, 2, 3]},
            "nodes": {
                **{"depth": [0, 1, 2, 2], "frame": [-1, 0, 1, 2], "total": [20, 20, 19, 1]},
            },
            **{"hidden": {"nodes": 2}, "total": {"value": 20, "samples": 20}},
        },
    },
}
COMMANDS = {
    "movers": ["movers"],
    "stacks": ["stacks", "--with", "a", "--without", "b"],
    "hosts": ["hosts", "parse"],
    "coverage": ["coverage"],
    "callers": ["callers", "parse", "--least", "10"],
}
EXPECTED = {
    "movers": [
        "2026-01-08 00:00Z to 2026-01-15 00:00Z, before: 2026-01-01 00:00Z to 2026-01-08 00:00Z",
        "before now difference 95 % interval samples before now function binary",
        "3.00 % 5.00 % +2.00 pp +1.00 to +3.00 3 5 parse�[2J shop",
        "new 5.00 % +2.00 pp unknown 0 5 fresh shop",
        "and 4 more functions (--limit)",
    ],
    "stacks": [
        "2.0 h in 20 samples, 50.0 % of everything",
        "self total function binary",
        "50.0 % 1.0 h 100.0 % 2.0 h parse�[2J shop",
        "and 2 more functions (--limit)",
        "nothing lost of 100 samples taken on these hosts",
    ],
    "hosts": [
        "median 10.00 %, 1 outliers of 3 hosts",
        "z share cost samples of host",
        "* +9.0 50.00 % 1.0 s 100 200 a�[2J",
        "and 2 more hosts (--limit)",
    ],
    "coverage": [
        "time hosts taken stored lost causes",
        "2026-01-01 2 200 190 10 5.0 % ring�[2J 10",
    ],
    "callers": [
        "20 ns, 50.0 % of everything",
        "100.0 % 20 ns parse",
        "95.0 % 19 ns main�[2J",
        "left out: 3 lines (--depth, --least)",
    ],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_an_answer_is_a_table(server: FakeServer, run: Run, name: str) -> None:
    server.answer(f"/api/v1/{name}", ANSWERS[name])
    code, out, err = run(*COMMANDS[name], "--server", server.url)
    assert (code, err) == (0, "")
    assert [" ".join(line.split()) for line in out.splitlines()] == EXPECTED[name]


@pytest.mark.parametrize("name", COMMANDS)
def test_another_answer_is_said_to_be_one(server: FakeServer, run: Run, name: str) -> None:
    server.answer(f"/api/v1/{name}", {"buckets": 1})
    code, _, err = run(*COMMANDS[name], "--server", server.url)
    assert code == 1
    assert "answers otherwise than this version reads" in err


def test_movers_of_a_deploy_stand_beside_what_ran_before_it(server: FakeServer, run: Run) -> None:
    newest = {
        **{"time": FIRST + DAY, "service": "checkout", "environment": "", "executable": ""},
        **{"version": "1.4", "previous": "1.3"},
    }
    older = newest | {"time": FIRST, "version": "1.3", "previous": "1.2"}
    server.answer("/api/v1/deploys", {"deploys": [newest, older]})
    server.answer("/api/v1/movers", ANSWERS["movers"])
    code, _, _ = run("movers", "--deploy", "checkout@1.3", "--server", server.url)
    assert code == 0
    path, asked = server.asked[-1]
    assert path == "/api/v1/movers"
    assert asked == {
        "query": 'cpu{service_name="checkout",service_version="1.3"}',
        **{"from": str(FIRST), "to": str(FIRST + DAY)},
        "before": 'cpu{service_name="checkout",service_version="1.2"}',
        **{"before_from": str(FIRST - DAY), "before_to": str(FIRST)},
        **{"cost": "self", "only": "all", "limit": "20"},
    }


def test_cores_and_money_stand_in_the_table_of_functions(server: FakeServer, run: Run) -> None:
    top = {
        **{"unit": "nanoseconds", "total": {"value": 72 * 10**11, "samples": 20}},
        **{"functions": [NAMED | SUMS], "functions_total": 1, "accounts": ACCOUNTS},
        "coverage": {"hosts": 1, "series": 1, "profiles": 1, "recorded": False},
    }
    server.answer("/api/v1/top", top)
    server.answer("/api/v1/timeline", {"from": FIRST, "to": FIRST + 3_600_000})
    given = ["--server", server.url, "--cores", "--price", "0.5"]
    _, out, _ = run("query", *given)
    assert [" ".join(line.split()) for line in out.splitlines()[1:3]] == [
        "self cost total cost function binary",
        "50.0 % 1 cores 0.50 100.0 % 2 cores 1.00 parse�[2J shop",
    ]
    server.answer("/api/v1/top", top | {"unit": "count"})
    code, _, err = run("query", *given)
    assert (code, "--price is of time" in err) == (2, True)
