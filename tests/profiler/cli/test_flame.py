from pathlib import Path

import pytest

from profiler.formats import html
from tests.profiler.cli.conftest import Run
from tests.profiler.cli.fake_server import FakeServer

BUILT = pytest.mark.skipif(
    not (html._STATIC / "export.html").is_file(), reason="the templates are not built: make web"
)


@BUILT
@pytest.mark.parametrize(("name", "begins"), [("a.svg", "<?xml"), ("a.html", "<!doctype html>")])
def test_a_file_is_drawn_in_the_format_of_the_ending(
    run: Run, tmp_path: Path, name: str, begins: str
) -> None:
    given, written = tmp_path / "a.folded", tmp_path / name
    given.write_text("main;f 3\n")
    assert run("flame", str(given), "-o", str(written)) == (0, "", "")
    assert written.read_text().startswith(begins)


def test_a_selector_is_drawn_by_the_server(server: FakeServer, run: Run, tmp_path: Path) -> None:
    server.answers["/api/v1/profiles"] = (200, "image/svg+xml", b"<svg/>")
    server.answer("/api/v1/labels/host_name/values", {"from": 1000, "to": 2000, "values": ["a"]})
    query, to = 'cpu{host_name="a"}', tmp_path / "a.svg"
    code, _, _ = run("flame", query, "--server", server.url, "--from", "now-5m", "-o", str(to))
    assert (code, to.read_text()) == (0, "<svg/>")
    asked, _ = server.asked
    assert asked[1] == {"query": query, "from": "now-5m", "to": "now", "format": "svg"}
