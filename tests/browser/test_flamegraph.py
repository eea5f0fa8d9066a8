"""The flamegraph: what it tells, how it zooms, what share a search stands for."""

import pytest
from playwright.sync_api import expect

from tests.browser import samples
from tests.browser.explorer import Box, Explorer, percent, seconds

pytestmark = pytest.mark.browser

TOTAL = ("checkout", "main", "checkout::Cart::total(int) const")
WALK = (*TOTAL, "walk")


def test_hover_tells_function_file_binary_self_and_total(explorer: Explorer) -> None:
    explorer.open()
    boxes = explorer.boxes()
    box, whole = boxes[TOTAL], boxes[()].total
    tooltip = explorer.hover(box)
    expect(tooltip).to_contain_text("checkout::Cart::total(int) const")
    expect(tooltip).to_contain_text("/src/checkout/cart.cc:40")
    expect(tooltip).to_contain_text("native · /usr/bin/checkout")
    cells = tooltip.locator("td").all_inner_texts()
    assert cells == [
        *("Self", seconds(box.self_value), percent(box.self_value, whole)),
        *("Total", seconds(box.total), percent(box.total, whole)),
        *("Samples", "2,700", ""),
    ]


def test_hover_tells_the_build_id_of_what_has_no_name(explorer: Explorer) -> None:
    explorer.open()
    tooltip = explorer.hover(explorer.boxes()["checkout", "main", "[unknown] libpay.so+0x1234"])
    expect(tooltip).to_contain_text("build-id beef · 0x1234")


def test_a_click_zooms_and_the_breadcrumb_leads_back(explorer: Explorer) -> None:
    explorer.open()
    explorer.click(explorer.boxes()[WALK])
    assert explorer.breadcrumb == ["total", *WALK]
    expect(explorer.selected).to_contain_text("total 24.0 s · 74.1%")
    explorer.page.get_by_role("navigation").get_by_role("button", name="main").click()
    assert explorer.breadcrumb == ["total", "checkout", "main"]
    explorer.page.get_by_role("button", name="Reset").click()
    assert explorer.breadcrumb == ["total"]
    assert "zoom" not in explorer.state


def test_zooming_widens_a_frame_to_the_whole_width(explorer: Explorer) -> None:
    explorer.open()
    kernel = explorer.boxes()[(*WALK, "vfs_read")]
    explorer.click(kernel)
    area = explorer.page.locator(".flamegraph canvas").bounding_box()
    assert area
    for x in (area["x"] + 5, area["x"] + area["width"] - 5):
        explorer.page.mouse.move(x, explorer.point(kernel)[1])
        expect(explorer.page.get_by_role("tooltip")).to_contain_text("vfs_read")


def test_the_zoom_survives_reload_and_back(explorer: Explorer) -> None:
    explorer.open()
    explorer.click(explorer.boxes()[TOTAL])
    zoomed = explorer.state["zoom"]
    explorer.page.reload()
    explorer.settle()
    assert explorer.breadcrumb == ["total", *TOTAL]
    explorer.page.go_back()
    explorer.settle()
    assert explorer.breadcrumb == ["total"]
    explorer.page.go_forward()
    explorer.settle()
    assert explorer.breadcrumb == ["total", *TOTAL]
    assert explorer.state["zoom"] == zoomed


def test_a_zoom_that_the_data_lacks_is_said(explorer: Explorer) -> None:
    explorer.open(zoom="0000000000000z")
    expect(explorer.page.get_by_text("has no samples here: this is the whole")).to_be_visible()


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("walk", lambda name: "walk" in name),
        ("READ", lambda name: "read" in name.lower()),
        ("/^(hash|vfs)_/", lambda name: name.startswith(("hash_", "vfs_"))),
        ('"main"', lambda name: name == "main"),
        ("no such function", lambda name: False),
    ],
)
def test_a_search_tells_its_share_of_all_stacks_each_counted_once(
    explorer: Explorer, text: str, matches: object
) -> None:
    assert callable(matches)
    explorer.open()
    stacks = explorer.folded()
    found = sum(n for stack, n in stacks.items() if any(matches(name) for name in stack))
    share = percent(found, sum(stacks.values())) if found else "0%"
    assert explorer.search(text) == share


def test_a_search_by_kind_counts_kernel_stacks(explorer: Explorer) -> None:
    explorer.open()
    assert explorer.search("kind:kernel") == percent(10, 54)
    assert explorer.search("binary:libpay") == percent(3, 54)


def test_a_search_asks_for_the_nodes_that_were_not_sent(explorer: Explorer) -> None:
    query = 'cpu{service_name="huge"}'
    explorer.open(query)
    assert explorer.figure("not sent").startswith("Not sent")
    stacks = explorer.folded(query)
    found = sum(n for stack, n in stacks.items() if any("_12" in name for name in stack))
    explorer.search("_12")
    explorer.settle()
    share = explorer.page.locator(".search-share strong")
    expect(share).to_have_text(percent(found, sum(stacks.values())))
    expect(explorer.page.locator('[data-figure="not sent"]')).to_be_hidden()


def test_a_share_is_a_range_while_nodes_are_missing(explorer: Explorer) -> None:
    query = 'cpu{service_name="huge"}'
    explorer.page.route("**/api/v1/flamegraph*max_nodes=*", lambda route: None)  # never answered
    explorer.open(query)
    stacks = explorer.folded(query)
    found = sum(n for stack, n in stacks.items() if any("_12" in name for name in stack))
    least, most = (float(part.strip(" %")) for part in explorer.search("_12").split("to"))
    assert least <= 100 * found / sum(stacks.values()) <= most


def test_a_broken_expression_is_told_where_it_is_typed(explorer: Explorer) -> None:
    explorer.open()
    explorer.page.get_by_label("Search frames").fill("/(/")
    expect(explorer.page.locator(".search-share")).to_contain_text("Invalid regular expression")


def test_everything_can_be_done_by_keys(explorer: Explorer) -> None:
    explorer.open()
    page = explorer.page
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("move in the flamegraph")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()

    page.keyboard.press("/")
    expect(page.get_by_label("Search frames")).to_be_focused()
    page.keyboard.type("walk")
    page.keyboard.press("Escape")
    expect(page.get_by_label("Search frames")).to_have_value("")

    page.get_by_role("application").focus()
    for _ in WALK:
        page.keyboard.press("ArrowDown")
    expect(explorer.selected).to_contain_text(" \u203a ".join(["total", *WALK]))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect(explorer.selected).to_contain_text("vfs_read")
    page.keyboard.press("Enter")
    explorer.settle()
    assert explorer.breadcrumb[-1] == "vfs_read"
    page.keyboard.press("Escape")
    explorer.settle()
    assert explorer.breadcrumb == ["total"]


def test_the_root_can_stand_at_the_bottom(explorer: Explorer) -> None:
    explorer.open(orientation="flame")
    area = explorer.page.locator(".flamegraph canvas").bounding_box()
    assert area
    explorer.page.mouse.move(area["x"] + 20, area["y"] + area["height"] - 10)
    expect(explorer.page.get_by_role("tooltip")).to_contain_text("Total of all stacks")
    explorer.page.mouse.move(area["x"] + 20, area["y"] + area["height"] - 50)
    expect(explorer.page.get_by_role("tooltip")).to_contain_text("main")


def test_frames_too_thin_to_draw_stand_in_a_marker_that_opens(explorer: Explorer) -> None:
    query = 'cpu{service_name="wide"}'
    explorer.open(query, tab="flamegraph")
    loop = explorer.boxes(query)["main", "loop"]
    run = Box(("main", "loop", "thin"), loop.left, loop.right, 0, 0)
    tooltip = explorer.hover(run)
    expect(tooltip).to_contain_text(f"{samples.THIN:,} frames too thin to draw")
    assert tooltip.locator("td").all_inner_texts() == ["Total", "30.0 s", "50.0%"]
    explorer.click(run)
    assert explorer.breadcrumb == ["total", "main", "loop"]
    expect(explorer.hover(explorer.boxes(query)["main",])).to_contain_text("main")


def test_a_marker_that_has_the_whole_width_opens_its_first_frame(explorer: Explorer) -> None:
    query = 'cpu{service_name="wide"}'
    explorer.open(query, tab="flamegraph")
    loop = explorer.boxes(query)["main", "loop"]
    explorer.click(loop)
    explorer.click(Box(("main", "loop", "thin"), 0, 1, 0, 0))
    assert explorer.breadcrumb[:-1] == ["total", "main", "loop"]
