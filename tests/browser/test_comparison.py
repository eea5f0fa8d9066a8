"""Two sides compared: the function that a deploy made grow stands first, all else is grey."""

import pytest
from playwright.sync_api import expect

from tests.browser import demo
from tests.browser.explorer import Shop

pytestmark = pytest.mark.browser

CHECKOUT = 'cpu{service_name="checkout"}'
SINCE = {"from": "2026-01-08T06:00:00Z", "to": "2026-01-08T12:00:00Z"}


def rows(shop: Shop) -> list[tuple[str, str]]:
    """Name and change of each function, as they stand."""
    found: list[tuple[str, str]] = shop.page.get_by_role(
        "complementary", name="Differences"
    ).evaluate(
        """side => [...side.querySelectorAll("tbody tr[data-change]")].map((row) =>
          [row.querySelector(".top-function").textContent, row.dataset.change])"""
    )
    return [(name, change) for name, change in found]


def test_a_deploy_is_compared_with_what_ran_before_in_one_click(shop: Shop) -> None:
    shop.open(CHECKOUT)
    shop.page.get_by_role("button", name="Compare").click()
    shop.page.get_by_role("button", name="checkout 1.4.0 with 1.3.9").click()
    table = shop.page.get_by_role("complementary", name="Differences")
    expect(table).to_contain_text("differ")
    (name, change), *others = rows(shop)
    assert (name, change) == (demo.GROWN, "grown")
    assert {change for _, change in others} == {"noise"}
    asked = {"query": 'cpu{service_name="checkout",service_version="1.4.0"}', **SINCE}
    asked |= {"baseline": 'cpu{service_name="checkout",service_version="1.3.9"}'}
    first = shop.server.get("diff", **asked)["functions"][0]
    assert first["function"] == demo.GROWN
    cost = first["self"]
    row = table.locator("tbody tr[data-change]").first
    expect(row).to_contain_text(f"+{100 * (cost['after'] - cost['before']):.2f} pp")
    expect(row).to_contain_text(f"+{100 * cost['low']:.2f} pp to +{100 * cost['high']:.2f} pp")


def test_a_comparison_is_a_link_and_its_sides_can_be_swapped(shop: Shop) -> None:
    shop.open(CHECKOUT)
    shop.page.get_by_role("button", name="Compare").click()
    shop.page.get_by_role("button", name="checkout 1.4.0 with").click()
    expect(shop.page.get_by_role("region", name="Sides")).to_contain_text("hosts")
    before = rows(shop)
    shop.page.reload()
    expect(shop.page.get_by_role("region", name="Sides")).to_contain_text("hosts")
    assert rows(shop) == before
    shop.page.get_by_role("button", name="Swap sides").click()
    first = shop.page.locator("tr[data-change]").first
    expect(first).to_have_attribute("data-change", "shrunk")
    expect(first).to_contain_text(demo.GROWN)
    shop.page.get_by_role("button", name="Compare no more").click()
    expect(shop.page.get_by_role("button", name="Compare")).to_be_visible()


def test_what_cannot_be_compared_says_why(shop: Shop) -> None:
    shop.expect_console("422")
    shop.open(CHECKOUT, against='cpu{service_name="nobody"}')
    expect(shop.page.get_by_role("alert")).to_contain_text("the baseline has no samples")
