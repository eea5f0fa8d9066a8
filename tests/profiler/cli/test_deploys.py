import json

import pytest

from tests.profiler.cli.conftest import Run
from tests.profiler.cli.fake_server import FakeServer

PATH = "/api/v1/deploys"
SEEN = {
    **{"time": 1_767_225_600_000, "last": 1_767_225_660_000, "service": "checkout\x1b[2J"},
    **{"environment": "prod", "executable": "", "version": "1.4", "previous": "1.3"},
    **{"revision": "0123456789abcdef", "posted": True, "host": "a", "hosts": 1200},
}
BUILD = SEEN | {
    **{"service": "till", "executable": "python3", "version": "aabb", "revision": ""},
    **{"posted": False, "environment": "", "previous": "ccdd"},
}
FOUND = {"deploys": [SEEN, BUILD], "deploys_total": 5, "hidden": {"deploys": 3}}


def test_the_table_shows_what_came_when(server: FakeServer, run: Run) -> None:
    server.answer(PATH, FOUND)
    code, out, err = run("deploys", "--server", server.url)
    assert (code, err) == (0, "")
    head, seen, build, more = out.splitlines()
    assert " ".join(head.split()) == "time service environment version previous revision hosts from"
    assert " ".join(seen.split()) == (
        "2026-01-01 00:00:00Z checkout�[2J prod 1.4 1.3 0123456789ab 1,200 a, posted"
    )
    assert build.split()[2:] == ["till", "python3", "aabb", "ccdd", "1,200", "a"]
    assert more == "and 3 older ones (choose a shorter range)"


def test_no_deploys_are_said_to_be_none(server: FakeServer, run: Run) -> None:
    server.answer(PATH, {"deploys": [], "deploys_total": 0, "hidden": {"deploys": 0}})
    assert run("deploys", "--server", server.url) == (0, "no deploys in this range\n", "")


def test_service_selector_and_range_are_asked_of_the_server(server: FakeServer, run: Run) -> None:
    server.answer(PATH, FOUND)
    chosen = ["--service", "checkout", "--query", 'cpu{zone="z"}', "--from", "now-1d"]
    _, out, _ = run("deploys", "--server", server.url, *chosen, "--format", "json")
    assert json.loads(out) == FOUND
    asked = {"service": "checkout", "query": 'cpu{zone="z"}', "from": "now-1d", "to": "now"}
    assert server.asked == [(PATH, asked)]


@pytest.mark.parametrize("inner", [False, True])
def test_a_deploy_is_posted_with_what_was_given(server: FakeServer, run: Run, inner: bool) -> None:
    server.answer(PATH, SEEN, 201)
    url = ["--server", server.url]
    arguments = ["--service", "checkout", "--version", "1.4", "--revision", ""]
    code, out, err = run(
        "deploys", *url[: 0 if inner else 2], "add", *arguments, *url[: 2 if inner else 0]
    )
    assert (code, out) == (0, "")
    assert err == "deploy of checkout�[2J 1.4 at 2026-01-01 00:00:00Z\n"
    assert server.posted == [("application/json", {"service": "checkout", "version": "1.4"})]


def test_a_refusal_is_one_line(server: FakeServer, run: Run) -> None:
    server.answer(PATH, {"detail": "version: has more than 1024 bytes"}, 400)
    arguments = ["--service", "a", "--version", "1", "--server", server.url]
    code, _, err = run("deploys", "add", *arguments)
    assert (code, err) == (2, "profiler: version: has more than 1024 bytes\n")


@pytest.mark.parametrize("answer", [{}, {"deploys": [{}], "hidden": {"deploys": 0}}])
def test_another_answer_is_said_to_be_one(
    server: FakeServer, run: Run, answer: dict[str, object]
) -> None:
    server.answer(PATH, answer)
    for command in (["deploys"], ["deploys", "add", "--service", "a", "--version", "1"]):
        first, *rest = command
        code, _, err = run(first, "--server", server.url, *rest)
        assert code == 1
        assert "answers otherwise than this version reads" in err
