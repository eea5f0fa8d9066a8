"""What the page says when there is nothing to draw, and how it looks on every screen."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser import samples
from tests.browser.conftest import watched
from tests.browser.explorer import Explorer
from tests.browser.served import Served, serving

pytestmark = pytest.mark.browser


def test_the_first_samples_appear_by_themselves(page: Page, tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        for explorer in watched(Explorer(page, server)):
            explorer.open("cpu")
            expect(page.get_by_text("No samples yet")).to_be_visible()
            server.ingest(samples.DRAINS[:1])
            expect(page.locator(".flamegraph canvas")).to_be_visible()
            assert explorer.figure("shown").startswith("Shown 62 samples")


def test_a_selection_without_samples_offers_a_way_out(explorer: Explorer) -> None:
    explorer.open('cpu{service_name="nobody"}')
    expect(explorer.page.get_by_text("No samples in this selection")).to_be_visible()
    explorer.page.get_by_role("button", name="Without filters").click()
    explorer.settle()
    assert explorer.state["query"] == "cpu"
    assert explorer.figure("shown").startswith("Shown ")


def test_a_range_in_the_url_that_can_not_be_read_offers_a_way_out(explorer: Explorer) -> None:
    explorer.page.goto(f"{explorer.server.origin}/?query=cpu&from=tomorrow")
    expect(explorer.page.get_by_text("This range cannot be read")).to_be_visible()
    explorer.page.get_by_role("button", name="Last hour").click()
    explorer.settle()
    assert "from" not in explorer.state


def test_a_server_that_went_away_leaves_the_last_answer_and_says_so(explorer: Explorer) -> None:
    explorer.expect_console("ERR_FAILED")
    explorer.open()
    refuse(explorer.page)
    explorer.page.get_by_role("button", name="24h").click()
    alert = explorer.page.get_by_role("alert")
    expect(alert).to_contain_text("The server does not answer. What you see is the last answer")
    assert explorer.figure("shown").startswith("Shown 3,240 samples")


def test_a_server_that_never_answered_can_be_tried_again(explorer: Explorer) -> None:
    explorer.expect_console("ERR_FAILED")
    refuse(explorer.page)
    explorer.page.goto(explorer.server.origin)
    expect(explorer.page.get_by_role("alert")).to_contain_text("The server does not answer")
    explorer.page.unroute("**/api/v1/**")
    explorer.page.get_by_role("button", name="Try again").click()
    expect(explorer.page.get_by_role("alert")).to_be_hidden()


def refuse(page: Page) -> None:
    def abort(route: Route) -> None:
        route.abort()

    page.route("**/api/v1/**", abort)


def test_a_replayed_profile_is_marked(explorer: Explorer) -> None:
    explorer.open('cpu{service_name="old"}')
    expect(explorer.page.get_by_text("replayed from a recording")).to_be_visible()
    explorer.open()
    expect(explorer.page.get_by_text("replayed from a recording")).to_be_hidden()


def test_the_theme_follows_the_system_until_it_is_chosen(explorer: Explorer) -> None:
    explorer.open()
    page = explorer.page
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "light")
    page.emulate_media(color_scheme="dark")
    expect(root).to_have_attribute("data-theme", "dark")
    page.get_by_label("Light or dark").click()
    expect(root).to_have_attribute("data-theme", "light")
    page.reload()
    expect(root).to_have_attribute("data-theme", "light")


def test_names_from_binaries_are_text_not_markup(explorer: Explorer) -> None:
    explorer.open(search="<img src=x onerror=alert(1)>", filter="<b>")
    expect(explorer.page.locator(".search-share strong")).to_have_text("0%")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(390, 844), (768, 1024), (1280, 800), (2560, 1300)])
def test_the_page_fits_every_screen(
    chromium: Browser, served: Served, width: int, height: int, scheme: str
) -> None:
    context = chromium.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for explorer in watched(Explorer(page, served)):
        explorer.open('cpu{host_name="a",service_name=~"checkout|report"}', search="walk")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        status = page.locator(".status").bounding_box()
        assert status
        assert status["y"] + status["height"] <= height + 0.5
        share = page.locator(".search-share strong").bounding_box()
        assert share
        assert share["x"] + share["width"] <= width
        canvas = page.locator(".flamegraph canvas").bounding_box()
        assert canvas
        assert canvas["width"] >= 0.6 * min(width, 1200)
    context.close()
