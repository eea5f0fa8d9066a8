"""What is looked at: profile type, labels, range. All of it stands in the URL."""

import pytest
from playwright.sync_api import expect

from tests.browser.explorer import RANGE, Explorer

pytestmark = pytest.mark.browser


def test_labels_and_values_are_suggested_and_become_the_query(explorer: Explorer) -> None:
    explorer.open("cpu")
    page = explorer.page
    page.get_by_role("button", name="Filter").click()
    page.get_by_role("combobox", name="Label").press("ArrowDown")
    options = page.get_by_role("listbox").get_by_role("option")
    expect(options).to_have_text(explorer.ask("labels", "cpu")["labels"])
    options.get_by_text("service_name").click()
    page.get_by_role("combobox", name="Value").click()
    values = explorer.ask("labels/service_name/values", "cpu")["values"]
    expect(options).to_have_text(values)
    options.get_by_text("report").click()
    page.get_by_role("button", name="Add").click()
    explorer.settle()
    assert explorer.state["query"] == 'cpu{service_name="report"}'
    assert explorer.figure("shown").startswith("Shown 720 samples")


def test_a_filter_is_taken_away(explorer: Explorer) -> None:
    explorer.open('cpu{host_name="a",service_name=~"rep.*"}')
    explorer.page.get_by_label("Remove the filter host_name").click()
    explorer.settle()
    assert explorer.state["query"] == 'cpu{service_name=~"rep.*"}'


def test_a_filter_is_built_by_keys_alone(explorer: Explorer) -> None:
    explorer.open("cpu")
    page = explorer.page
    page.get_by_role("button", name="Filter").press("Enter")
    page.keyboard.type("service")
    expect(page.get_by_role("listbox").get_by_role("option")).to_have_text(["service_name"])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.type("check.*")
    page.keyboard.press("Enter")
    explorer.settle()
    assert explorer.state["query"] == 'cpu{service_name=~"check.*"}'
    assert explorer.figure("shown").startswith("Shown 3,240 samples")


def test_a_mistake_in_the_selector_is_shown_at_its_character(explorer: Explorer) -> None:
    explorer.expect_console("status of 400")
    explorer.open('cpu{host_name="a" "b"}')
    mistake = explorer.page.locator(".mistake")
    selector, caret = mistake.locator("pre").inner_text().splitlines()
    assert selector == 'cpu{host_name="a" "b"}'
    expect(mistake.locator(".mistake-blank")).to_have_text('cpu{host_name="a" ')
    assert caret.rstrip().endswith("^")
    expect(mistake).to_contain_text("a comma or }")
    expect(explorer.page.locator(".status")).to_be_empty()

    text = explorer.page.get_by_label("Selector", exact=True)
    text.fill('cpu{host_name="a"}')
    text.press("Enter")
    explorer.settle()
    expect(mistake).to_be_hidden()
    assert explorer.figure("shown").startswith("Shown 3,720 samples")


def test_the_caret_counts_characters_beyond_the_basic_plane_once(explorer: Explorer) -> None:
    explorer.expect_console("status of 400")
    explorer.open('cpu{a="🔥🔥" !}')
    expect(explorer.page.locator(".mistake-blank")).to_have_text('cpu{a="🔥🔥" ')


def test_quick_ranges_and_typed_ranges_stand_in_the_url(explorer: Explorer) -> None:
    explorer.open()
    page = explorer.page
    page.get_by_role("button", name="15m").click()
    assert explorer.state["from"] == "now-15m"
    page.get_by_title("Type a range").click()
    page.get_by_label("From", exact=True).fill("2026-01-01T00:01:00Z")
    page.get_by_label("To", exact=True).fill("2026-01-01T00:02:00Z")
    page.get_by_role("button", name="Apply").click()
    explorer.settle()
    assert explorer.state["from"] == "2026-01-01T00:01:00Z"
    assert explorer.figure("shown").startswith("Shown 324 samples")


def test_a_range_that_can_not_be_read_is_told_where_it_is_typed(explorer: Explorer) -> None:
    explorer.open()
    page = explorer.page
    page.get_by_title("Type a range").click()
    page.get_by_label("From", exact=True).fill("yesterday")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("alert")).to_contain_text('cannot read "yesterday" as a time')
    assert explorer.state["from"] == RANGE["from"]


def test_dragging_over_the_timeline_narrows_the_range(explorer: Explorer) -> None:
    explorer.open()
    page = explorer.page
    area = page.locator(".u-over").bounding_box()
    assert area
    y = area["y"] + area["height"] / 2
    page.mouse.move(area["x"] + area["width"] * 0.25, y)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] * 0.5, y, steps=5)
    page.mouse.up()
    explorer.settle()
    start, end = explorer.state["from"], explorer.state["to"]
    assert start.startswith(("2026-01-01T00:02:29", "2026-01-01T00:02:30"))
    assert end.startswith(("2026-01-01T00:04:59", "2026-01-01T00:05:00"))
    answer = explorer.server.get(
        "flamegraph", query=explorer.state["query"], **{"from": start}, to=end
    )
    assert explorer.figure("shown").startswith(f"Shown {answer['total']['samples']:,} samples")
    page.go_back()
    explorer.settle()
    assert explorer.figure("shown").startswith("Shown 3,240 samples")


def test_the_timeline_speaks_of_cores(explorer: Explorer) -> None:
    explorer.open()
    answer = explorer.ask("timeline", step="10s")
    cores = [value / (answer["step"] * 1e6) for value in answer["values"]]
    readout = explorer.page.locator(".timeline .readout")
    assert (
        readout.inner_text() == f"mean {sum(cores) / len(cores):.3f} · peak {max(cores):.3f} cores"
    )
    area = explorer.page.locator(".u-over").bounding_box()
    assert area
    explorer.page.mouse.move(area["x"] + area["width"] * 0.5, area["y"] + 20)
    expect(readout).to_contain_text("0.054 cores · 54 samples")


def test_following_makes_a_fixed_range_the_latest(explorer: Explorer) -> None:
    explorer.open()
    explorer.page.get_by_role("button", name="Live").click()
    assert explorer.state["from"] == "now-10m"
    assert explorer.state["live"] == "1"
    assert "to" not in explorer.state


def test_the_whole_state_survives_a_reload(explorer: Explorer) -> None:
    state = {"tab": "table", "sort": "name", "descending": "0", "filter": "a", "search": "walk"}
    explorer.open(orientation="flame", colour="binary", **state)
    before = (explorer.rows(), explorer.page.locator(".search-share").inner_text())
    explorer.page.reload()
    explorer.settle()
    assert (explorer.rows(), explorer.page.locator(".search-share").inner_text()) == before
    assert explorer.state.items() >= state.items()


def test_exports_are_the_selection_as_a_file(explorer: Explorer) -> None:
    explorer.open()
    explorer.page.get_by_role("button", name="Export").click()
    with explorer.page.expect_download() as download:
        explorer.page.get_by_role("link", name="folded").click()
    text = download.value.path().read_text()
    assert text == explorer.server.text(
        "profiles", query='cpu{service_name="checkout"}', format="folded", **RANGE
    )
