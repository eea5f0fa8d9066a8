"""The sandwich and the sheet of a frame: numbers equal to the API's, and to one another."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser import demo
from tests.browser.explorer import Explorer, Shop, digits, percent, seconds

pytestmark = pytest.mark.browser

OBJECT = "json::Writer::object(Cart const&)"
CART = {"function": "walk", "file": "/src/checkout/cart.cc", "binary": "/usr/bin/checkout"}


def sheet(explorer: Explorer) -> str:
    return " ".join(explorer.page.locator(".sheet").inner_text().split())


def bars(explorer: Explorer, label: str) -> list[list[str]]:
    found: list[list[str]] = explorer.page.get_by_label(label, exact=True).evaluate(
        """list => [...list.querySelectorAll("li")].map((entry) =>
          [...entry.children].slice(0, 3).map((part) => part.innerText.trim()))"""
    )
    return found


def test_a_row_of_the_table_is_looked_at_in_the_sandwich(explorer: Explorer) -> None:
    explorer.open(tab="sandwich")
    explorer.page.get_by_role("button", name="walk").click()
    explorer.settle()
    assert explorer.state.items() >= CART.items()
    answer = explorer.ask("callers", **CART)
    total, whole = answer["callees"]["total"]["value"], answer["total"]["value"]
    assert answer["callers"]["total"]["value"] == total
    head = explorer.page.locator(".sandwich-head")
    expect(head).to_contain_text(f"total {seconds(total)} · {percent(total, whole)} of all")
    expect(head).to_contain_text(f"self {seconds(sum(f['self'] for f in answer['functions']))}")
    for half in ("Callers", "Callees"):
        section = explorer.page.locator(".sandwich-half").filter(has_text=half)
        expect(section.locator(".selected")).to_contain_text(f"total {seconds(total)} · 100%")


def test_the_sandwich_is_walked_by_keys_and_back_again(explorer: Explorer) -> None:
    explorer.open(tab="sandwich", **CART)
    graph = explorer.page.locator(".sandwich-half").nth(1).locator(".flamegraph")
    graph.press("ArrowDown")
    graph.press("ArrowDown")
    line = explorer.page.locator(".sandwich-half").nth(1).locator(".selected-path")
    expect(line).to_have_text(re.compile("total.*walk.*walk$"))
    graph.press("ArrowRight")
    expect(line).to_have_text(re.compile("walk.*vfs_read$"))
    graph.press("Enter")
    explorer.settle()
    assert explorer.state["function"] == "vfs_read"
    explorer.page.go_back()
    explorer.settle()
    assert explorer.state["function"] == "walk"
    expect(explorer.page.locator(".sandwich-head strong")).to_have_text("walk")


def test_the_selected_frame_is_described_and_stands_in_the_url(explorer: Explorer) -> None:
    explorer.open(side="frame")
    expect(explorer.page.locator(".sheet-hint")).to_be_visible()
    graph = explorer.page.locator(".flamegraph")
    for _ in range(3):
        graph.press("ArrowDown")
    expect(explorer.page.locator(".sheet h2")).to_have_text("checkout::Cart::total(int) const")
    explorer.settle()
    assert explorer.state["function"] == "checkout::Cart::total(int) const"
    text = sheet(explorer)
    assert "File /src/checkout/cart.cc:40 Binary /usr/bin/checkout Build-id c0ffee" in text
    assert "Address 0x2000 Kind native" in text
    answer = explorer.ask("function", function=explorer.state["function"])
    self_part, total = answer["self"], answer["total"]
    whole = answer["everything"]["value"]
    assert f"The function in every stack, {answer['total_samples']:,} samples" in text
    cores = 600 * 1_000_000_000
    assert (
        f"Self {percent(self_part, whole)} {seconds(self_part)} {digits(self_part / cores)} cores"
    ) in text
    assert f"Total {percent(total, whole)} {seconds(total)} {digits(total / cores)} cores" in text
    explorer.page.reload()
    explorer.settle()
    assert sheet(explorer) == text


def test_a_function_is_parted_by_any_label(shop: Shop) -> None:
    shop.open("cpu", side="frame", function=OBJECT)
    shop.page.get_by_label("Share by", exact=True).select_option("service_version")
    shop.settle()
    assert shop.state["label"] == "service_version"
    answer = shop.ask("function", "cpu", function=OBJECT, by="service_version")
    assert bars(shop, "Share by service_version") == [
        [
            group["label_value"] or "(none)",
            percent(group["total"], group["everything"]["value"]) if group["total"] else "0%",
            f"{digits(group['total'] / demo.DAY)} cores",
        ]
        for group in answer["groups"]
    ]
    assert sum(group["total"] for group in answer["groups"]) == answer["total"]
    shop.page.get_by_role("button", name="1.4.0", exact=True).click()
    shop.settle()
    assert shop.state["query"] == 'cpu{service_version="1.4.0"}'


def test_the_lines_of_a_function_add_up(shop: Shop) -> None:
    shop.open(side="frame", function=OBJECT)
    lines = shop.ask("function", function=OBJECT)["lines"]
    shown = [name for name, _, _ in bars(shop, "Lines")]
    assert shown == [f"json.cc:{one['line']}" for one in lines] == ["json.cc:210", "json.cc:214"]
    rows = {row["function"]: row for row in shop.ask("top")["functions"]}
    assert sum(one["total"] for one in lines) == rows[OBJECT]["total"]
    trend = shop.page.get_by_text(re.compile("Total over the range, at most"))
    hours = shop.ask("history", function=OBJECT)["functions"][0]["total"]
    expect(trend).to_contain_text(f"at most {digits(max(hours) / demo.HOUR)} cores")


def test_a_frame_and_its_stack_are_copied(explorer: Explorer) -> None:
    explorer.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    explorer.open(side="frame")
    graph = explorer.page.locator(".flamegraph")
    for _ in range(3):
        graph.press("ArrowDown")
    explorer.page.get_by_role("button", name="Copy stack").click()
    expect(explorer.page.get_by_role("button", name="Copied")).to_be_visible()
    copied = explorer.page.evaluate("navigator.clipboard.readText()")
    assert copied == "checkout;main;checkout::Cart::total(int) const"
    explorer.page.get_by_role("button", name="Copy frame").click()
    name = "checkout::Cart::total(int) const"
    explorer.page.wait_for_function(
        "async name => await navigator.clipboard.readText() === name", arg=name
    )


def test_waiting_and_events_have_words_of_their_own(shop: Shop) -> None:
    shop.open("off_cpu", side="frame", function="Server::run()")
    assert shop.page.locator(".timeline .label").inner_text() == "Off CPU, in threads"
    assert " threads" in sheet(shop)
    expect(shop.page.locator(".status-coverage")).not_to_contain_text("Hz")
    shop.open("page_faults", side="frame", function="Server::run()")
    assert shop.page.locator(".timeline .label").inner_text() == "Page faults a second"
    assert " /s" in sheet(shop)
    shop.open("cpu")
    expect(shop.page.locator(".status-coverage")).to_contain_text("99 Hz · 5 hosts")


def test_the_path_of_the_selected_frame_can_be_heard(explorer: Explorer) -> None:
    explorer.open()
    graph = explorer.page.locator(".flamegraph")
    for _ in range(3):
        graph.press("ArrowDown")
    items = explorer.page.get_by_role("tree").get_by_role("treeitem")
    boxes = explorer.boxes()
    path = ("checkout", "main", "checkout::Cart::total(int) const")
    whole = sum(explorer.folded().values()) * 10_000_000
    assert items.all_inner_texts()[1:] == [
        f"{path[i]}, total {seconds(boxes[path[: i + 1]].total)}, "
        f"{percent(boxes[path[: i + 1]].total, whole)}"
        for i in range(3)
    ]
    expect(items.last).to_have_attribute("aria-selected", "true")
    expect(items.last).to_have_attribute("aria-level", "4")
