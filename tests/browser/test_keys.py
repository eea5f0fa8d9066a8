"""Everything by keys, and the selector completed like code."""

import pytest
from playwright.sync_api import expect

from tests.browser.explorer import Shop

pytestmark = pytest.mark.browser


def test_a_selector_is_written_by_keys_alone(shop: Shop) -> None:
    shop.open("off_cpu")
    keys = shop.page.keyboard
    keys.press("e")
    field = shop.page.get_by_label("Selector", exact=True)
    expect(field).to_be_focused()
    keys.press("Control+a")
    keys.type("cp")
    options = shop.page.get_by_role("listbox", name="Suggestions").get_by_role("option")
    expect(options).to_have_text(["cpu", "off_cpu"])
    keys.press("Tab")
    keys.type("{ser")
    expect(options).to_have_text(["service_name", "service_version"])
    keys.press("Enter")
    expect(field).to_have_value("cpu{service_name=}")
    expect(options).to_have_text(shop.ask("labels/service_name/values", "cpu")["values"])
    keys.type('"ch')
    expect(options).to_have_text(["checkout", "search"])
    keys.press("Enter")
    expect(field).to_have_value('cpu{service_name="checkout"}')
    keys.type(",host")
    expect(options).to_have_text(["host_name"])
    keys.press("Tab")
    expect(options).to_have_text(["shop-1", "shop-2", "shop-3"])
    keys.press("ArrowDown")
    keys.press("Tab")
    keys.press("Enter")
    shop.settle()
    assert shop.state["query"] == 'cpu{service_name="checkout",host_name="shop-2"}'


def test_the_views_are_reached_by_keys(shop: Shop) -> None:
    shop.open()
    keys = shop.page.keyboard
    for number, tab in enumerate(("both", "flamegraph", "table", "sandwich"), 1):
        keys.press(str(number))
        assert shop.state.get("tab", "both") == tab
    keys.press("1")
    shop.settle()
    graph = shop.page.locator(".flamegraph")
    graph.press("ArrowDown")
    graph.press("ArrowDown")
    keys.press("i")
    expect(shop.page.locator(".sheet h2")).to_have_text("main")
    keys.press("c")
    shop.settle()
    assert (shop.state["tab"], shop.state["function"]) == ("sandwich", "main")
    keys.press("g")
    expect(shop.page.get_by_label("Group by")).to_be_focused()
    shop.page.locator("body").click(position={"x": 2, "y": 2})
    keys.press("o")
    shop.settle()
    assert shop.state == {}


def test_the_sheet_tells_of_every_key(shop: Shop) -> None:
    shop.open()
    shop.page.keyboard.press("?")
    sheet = shop.page.get_by_role("dialog")
    expect(sheet).to_be_visible()
    told = {key for text in sheet.locator("kbd").all_inner_texts() for key in text.split()}
    assert told >= set("?orlte/fg1234ic+-ad0") | {"Enter", "Home", "Esc"}
    shop.page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    theme = shop.page.locator("html")
    expect(theme).to_have_attribute("data-theme", "light")
    shop.page.keyboard.press("t")
    expect(theme).to_have_attribute("data-theme", "dark")


def test_no_key_acts_while_something_is_typed(shop: Shop) -> None:
    shop.open()
    shop.page.keyboard.press("/")
    shop.page.keyboard.type("o1tie")
    shop.settle()
    shop.page.wait_for_function(
        "() => new URLSearchParams(location.search).get('search') === 'o1tie'"
    )
    assert shop.state["query"] == shop.query
