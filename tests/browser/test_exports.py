"""Files that the page writes, opened again: each from the disk, without a server or a network."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from profiler.formats import html, svg
from tests.browser import samples
from tests.browser.explorer import Explorer, percent
from tests.builders import profile

pytestmark = pytest.mark.browser

GIVEN = profile("main;poll;poll;read 3", "main;run 5", "main;run;write 1", "idle 1")


@pytest.fixture
def opened(chromium: Browser) -> Iterator[Page]:
    """A page that may ask for nothing but its own file, and has nothing to complain of."""
    page = chromium.new_page(viewport={"width": 1280, "height": 800})
    troubles: list[str] = []

    def see(request: Request) -> None:
        if not request.url.startswith(("file:", "blob:", "data:")):
            troubles.append(request.url)

    page.on("request", see)
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    yield page
    page.close()
    assert troubles == []


def exported(explorer: Explorer, name: str, folder: Path) -> Path:
    explorer.page.get_by_role("button", name="Export").click()
    menu = explorer.page.locator(".menu")
    with explorer.page.expect_download() as download:
        menu.get_by_text(name, exact=True).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_the_html_file_is_the_page_without_a_server(
    explorer: Explorer, opened: Page, tmp_path: Path
) -> None:
    explorer.open()
    path = exported(explorer, "html", tmp_path)
    assert path.name == "cpu.html"
    opened.goto(path.as_uri())
    stacks = explorer.folded()
    whole = sum(stacks.values())
    expect(opened.locator(".export-total")).to_contain_text(f"{whole:,} samples")
    opened.get_by_label("Search frames").fill("/^walk$/")
    found = sum(count for stack, count in stacks.items() if "walk" in stack)
    expect(opened.locator(".search-share strong")).to_have_text(percent(found, whole))
    graph = opened.get_by_role("application")
    graph.focus()
    for key in ("ArrowDown", "ArrowDown", "Enter"):
        graph.press(key)
    expect(opened.locator(".breadcrumb li").last).to_have_text("main")
    assert "zoom=" in opened.url
    opened.reload()
    expect(opened.locator(".breadcrumb li").last).to_have_text("main")
    area = opened.locator(".flamegraph canvas").bounding_box()
    assert area
    opened.mouse.move(area["x"] + 30, area["y"] + 30)
    expect(opened.get_by_role("tooltip")).to_contain_text("checkout")


def test_an_expression_that_never_ends_hangs_no_file(opened: Page, tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_bytes(html.dumps(profile(f"{'a' * 40}! 1")))
    opened.goto(path.as_uri())
    opened.get_by_label("Search frames").fill("/^(a+)+$/")
    expect(opened.locator(".search-share")).to_have_text("this expression takes longer than 1 s")


def test_the_svg_file_zooms_and_searches_by_itself(opened: Page, tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    path.write_bytes(svg.dumps(GIVEN))
    opened.goto(path.as_uri())
    title = opened.locator("#frames title")
    expect(opened.get_by_label("Search frames")).to_be_visible()
    drawn = {text.split(" ")[0]: text for text in title.all_text_contents()}
    assert drawn["run"] == "run 60.0% 6 samples"
    opened.get_by_label("Search frames").fill("/^(poll|write)$/")
    expect(opened.locator("output")).to_have_text("40.0% of the total")
    assert opened.locator("#frames rect.found").count() == 3
    opened.locator("#frames g", has_text="run 60.0%").first.click()
    expect(opened.locator("#frames g.above")).to_have_count(2)
    run = opened.locator("#frames g", has_text="run 60.0%").first.locator("rect").bounding_box()
    assert run
    assert run["width"] > 1150
    assert not opened.locator("#frames title", has_text="poll").count()
    opened.get_by_text("Reset zoom").click()
    expect(opened.locator("#frames g.above")).to_have_count(0)


def test_the_frames_of_an_svg_file_stand_where_its_script_puts_them(
    opened: Page, tmp_path: Path
) -> None:
    """What is drawn for those who run no script is what the page's own layout draws."""
    places = """groups => groups.map(group => [group.querySelector("title").textContent,
      ...["x", "y", "width"].map(name => Math.round(group.querySelector("rect")
        .getAttribute(name) * 10) / 10), group.querySelector("rect").getAttribute("class")])"""
    path = tmp_path / "a.svg"
    data = svg.dumps(GIVEN)
    path.write_bytes(data.replace(b"<script>", b'<script type="none">'))
    opened.goto(path.as_uri())
    static = opened.locator("#frames g").evaluate_all(places)
    path.write_bytes(data)
    opened.goto(path.as_uri())
    expect(opened.get_by_label("Search frames")).to_be_visible()
    assert sorted(opened.locator("#frames g").evaluate_all(places)) == sorted(static)
    assert len(static) == 8


def test_json_has_every_node(explorer: Explorer, tmp_path: Path) -> None:
    explorer.open('cpu{service_name="huge"}')
    path = exported(explorer, "json", tmp_path)
    answer: dict[str, Any] = json.loads(path.read_text())
    assert answer["hidden"] == {"nodes": 0}
    assert answer["total"]["samples"] == samples.HUGE.total_samples


def test_png_is_a_picture_of_all_rows(explorer: Explorer, opened: Page, tmp_path: Path) -> None:
    explorer.open(tab="flamegraph")
    path = exported(explorer, "png", tmp_path)
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = (int.from_bytes(data[at : at + 4]) for at in (16, 20))
    depth = max(len(stack) for stack in explorer.folded())
    assert height == (depth + 1) * 20
    area = explorer.page.locator(".flamegraph canvas").bounding_box()
    assert area and width == round(area["width"])
