import os
from pathlib import Path

import pytest

from profiler.cli import sides
from profiler.cli.sides import Files, Reader, Selected
from profiler.errors import UsageError
from profiler.formats import pprof
from tests.builders import profile, stacks
from tests.profiler.cli.fake_server import FakeServer

READER = Reader("http://127.0.0.1:1", "now-1h", "now")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("cpu", Selected("cpu", "now-1h", "now")),
        ("cpu@now-2h", Selected("cpu", "now-2h", "now")),
        ("cpu@now-2h..now-1h", Selected("cpu", "now-2h", "now-1h")),
        ('cpu{a=~"x.*@y"}@1..2', Selected('cpu{a=~"x.*@y"}', "1", "2")),
        (f'cpu{{a="{"x" * 300}"}}', Selected(f'cpu{{a="{"x" * 300}"}}', "now-1h", "now")),
        ('off_cpu{a="x}"}', Selected('off_cpu{a="x}"}', "now-1h", "now")),
    ],
)
def test_a_selector_may_carry_its_range(text: str, place: Selected) -> None:
    assert READER.place(text) == place
    assert not sides.is_file(text)


def test_what_exists_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cpu").write_text("main 1\n")
    assert READER.place("cpu") == Files((Path("cpu"),))
    assert sides.is_file("cpu") and sides.is_file("a.folded") and sides.is_file("-")


def test_each_file_is_a_unit(tmp_path: Path) -> None:
    for number in (2, 1):
        (tmp_path / f"run-{number}.folded").write_text(f"main {number}\n")
    side = READER.side(str(tmp_path))
    assert [(Path(u.name).name, stacks(u.profile)) for u in side.units] == [
        ("run-1.folded", {("main",): 1}),
        ("run-2.folded", {("main",): 2}),
    ]
    assert stacks(side.merged) == {("main",): 3}


@pytest.mark.parametrize("text", ["a" * 300 + ".folded", "a**b", "[bc]"])
def test_a_pattern_means_files_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a").write_text("main 1\n")
    Path("b").mkdir()
    os.mkfifo("c")
    assert sides.paths("?") == (Path("a"),)
    with pytest.raises(UsageError, match="no file"):
        sides.paths(text)


def test_each_host_of_a_selector_is_a_unit(server: FakeServer) -> None:
    server.answer(
        "/api/v1/labels/host_name/values", {"from": 1000, "to": 2000, "values": ["a", 'b"']}
    )
    data = pprof.dumps(profile("main 1"))
    server.answers["/api/v1/profiles"] = (200, "application/octet-stream", data)
    side = Reader(server.url, "now-1h", "now").side('cpu{x="y"}@now-5m')
    assert [unit.name for unit in side.units] == ["a", 'b"']
    assert [parameters["query"] for path, parameters in server.asked if "profiles" in path] == [
        'cpu{x="y",host_name="a"}',
        'cpu{x="y",host_name="b\\""}',
    ]
    ranges = [(parameters["from"], parameters["to"]) for _, parameters in server.asked]
    assert ranges == [("now-5m", "now"), ("1000", "2000"), ("1000", "2000")]


def deploy(time: int, version: str, previous: str, **other: str) -> dict[str, object]:
    names = {"service": "s", "environment": "", "executable": ""}
    return {**names, "time": time, "version": version, "previous": previous, **other}


def test_a_deploy_is_its_version_from_then_to_the_next_one(server: FakeServer) -> None:
    found = [
        deploy(9000, "4", "3", environment="test"),
        deploy(7000, "3", "2"),
        deploy(4000, "2", "1"),
    ]
    server.answer("/api/v1/deploys", {"deploys": found})
    server.answer("/api/v1/timeline", {"to": 10_000})
    reader = Reader(server.url, "now-1h", "now")
    assert reader.deploy("s", "2") == (
        Selected('cpu{service_name="s",service_version="2"}', "4000", "7000"),
        Selected('cpu{service_name="s",service_version="1"}', "1000", "4000"),
    )
    assert reader.deploy("s", "3")[0].end == "10000"
    newest = reader.place("deploy:s")
    assert isinstance(newest, Selected)
    assert newest.query == (
        'cpu{service_name="s",deployment_environment_name="test",service_version="4"}'
    )
    with pytest.raises(UsageError, match="no deploy of 's' of the version '9' since now-90d"):
        reader.place("deploy:s@9")


def test_a_deploy_that_is_known_by_a_build_id_is_all_of_the_service(server: FakeServer) -> None:
    found = [deploy(4000, "c0ffee", "beef", executable="a")]
    server.answer("/api/v1/deploys", {"deploys": found})
    server.answer("/api/v1/timeline", {"to": 5000})
    after, before = Reader(server.url, "now-1h", "now").deploy("s")
    assert after.query == before.query == 'cpu{service_name="s"}'
