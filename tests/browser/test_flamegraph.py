"""The flamegraph: what it tells, how it zooms, what share a search stands for."""

import pytest
from playwright.sync_api import expect

from profiler.analysis import forest
from profiler.analysis.path import name_of
from tests.browser import samples
from tests.browser.explorer import Box, Explorer, percent, seconds
from tests.builders import PERIOD_NS

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
    expect(page.get_by_role("dialog")).to_contain_text("In the flamegraph")
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


def test_what_was_not_sent_is_asked_for_where_it_is_zoomed_to(explorer: Explorer) -> None:
    query = 'cpu{service_name="huge"}'
    explorer.open(query, tab="flamegraph")
    before = explorer.figure("not sent")
    asked: list[str] = []
    explorer.page.on("request", lambda request: asked.append(request.url))
    explorer.click(max(explorer.boxes(query).values(), key=lambda b: (len(b.names) == 2, b.total)))
    name = explorer.state["zoom"]
    assert any(f"zoom={name}" in url for url in asked)
    assert explorer.figure("not sent") != before
    part = explorer.ask("flamegraph", query, zoom=name)
    assert part["hidden"]["nodes"] == 0
    total = part["nodes"]["total"]
    expect(explorer.selected).to_contain_text(percent(total[part["zoom"]], total[0]))


def test_a_link_leads_to_a_frame_that_was_not_sent(explorer: Explorer) -> None:
    query = 'cpu{service_name="huge"}'
    sent = explorer.boxes(query).keys()
    (names, total), *_ = sorted(
        (tuple(frame.function for frame in stack), value)
        for stack, _, value in samples.HUGE.stacks()
        if len(stack) > 20 and value == PERIOD_NS * 2
    )
    assert names not in sent
    explorer.open(query, zoom=name_of(forest.of(samples.HUGE), names))
    assert explorer.breadcrumb == ["total", *names]
    expect(explorer.selected).to_contain_text(f"total {total / 1e6:.1f} ms")
    explorer.page.get_by_role("button", name="Reset").click()
    assert explorer.breadcrumb == ["total"]


def test_a_wheel_zooms_at_the_pointer_and_the_link_keeps_the_view(explorer: Explorer) -> None:
    query = 'cpu{service_name="wide"}'
    explorer.open(query, tab="flamegraph")
    loop = explorer.boxes(query)["main", "loop"]
    middle = loop.left + (loop.right - loop.left) * 1500.5 / samples.THIN
    callback = Box(("main", "loop", "callback"), middle, middle, 0, 0)
    x, y = explorer.point(callback)
    explorer.page.mouse.move(x, y)
    explorer.page.keyboard.down("Control")
    for _ in range(40):
        explorer.page.mouse.wheel(0, -120)
    explorer.page.keyboard.up("Control")
    explorer.page.wait_for_function("() => location.search.includes('view=')")
    explorer.settle()
    left, right = (float(edge) for edge in explorer.state["view"].split("-"))
    assert left < middle < right < left + 0.02
    explorer.page.mouse.move(x, y + 1)
    tooltip = explorer.page.get_by_role("tooltip")
    expect(tooltip).to_contain_text("callback_1500")
    explorer.page.reload()
    explorer.settle()
    explorer.page.mouse.move(x, y)
    expect(tooltip).to_contain_text("callback_1500")
    explorer.page.get_by_role("application").focus()
    explorer.page.keyboard.press("Escape")
    explorer.page.wait_for_function("() => !location.search.includes('view=')")


def test_keys_and_drags_move_the_view(explorer: Explorer) -> None:
    explorer.open(tab="flamegraph")
    page = explorer.page
    page.get_by_role("application").focus()

    def view(keys: str) -> str:
        for key in keys:
            page.keyboard.press(key)
        page.wait_for_timeout(300)
        return explorer.state.get("view", "")

    assert view("w") == "0.25-0.75"
    assert view("d") == "0.375-0.875"
    assert view("aa") == "0.125-0.625"
    assert view("-") == ""
    assert view("++") == "0.375-0.625"
    area = page.locator(".flamegraph canvas").bounding_box()
    assert area
    x, y = area["x"] + area["width"] / 2, area["y"] + 30
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + area["width"] / 4, y, steps=4)
    page.mouse.up()
    assert view("") == "0.3125-0.5625"
    assert explorer.breadcrumb == ["total"]
    assert view("0") == ""


def test_an_expression_that_never_ends_hangs_nothing(explorer: Explorer) -> None:
    explorer.open()
    field = explorer.page.get_by_label("Search frames")
    field.fill("/^((([a-z:A-Z() ]+)+)+)+!$/")
    expect(explorer.page.locator(".search-share")).to_have_text(
        "this expression takes longer than 1 s"
    )
    assert explorer.search("/^walk$/") == "77.8%"
