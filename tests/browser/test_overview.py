"""The first page: services, what came new, what grew; every number that of the API."""

import pytest
from playwright.sync_api import expect

from tests.browser import demo
from tests.browser.explorer import Shop, digits

pytestmark = pytest.mark.browser

CORES = demo.DAY
"""Nanoseconds of a day of one core."""


def table(shop: Shop, name: str) -> list[list[str]]:
    rows: list[list[str]] = shop.page.get_by_role("region", name=name).evaluate(
        """section => [...section.querySelectorAll("tbody tr")].map((row) =>
          [...row.children].map((cell) => cell.innerText.replace(/\\s+/g, " ").trim()))"""
    )
    return rows


def test_services_stand_by_what_they_cost(shop: Shop) -> None:
    shop.open("")
    services = shop.ask("overview", "cpu")["services"]
    assert [one["service"] for one in services] == ["checkout", "catalog", "search", "gateway"]
    rows = table(shop, "Services")
    assert [(name, cores, hosts) for name, cores, _, _, _, hosts, _ in rows] == [
        (one["service"], digits(one["total"]["value"] / CORES), str(one["hosts"]))
        for one in services
    ]
    whole = shop.ask("flamegraph", "cpu")["total"]
    summary = shop.page.locator(".overview-summary h2")
    expect(summary).to_contain_text(f"on {digits(whole['value'] / CORES)} cores")
    expect(summary).to_contain_text(f"{whole['samples']:,} samples")


def test_a_service_says_what_it_cost_a_week_before_and_its_newest_deploy(shop: Shop) -> None:
    shop.open("")
    checkout, catalog = table(shop, "Services")[:2]
    before = shop.server.get(
        "flamegraph",
        query=shop.query,
        **{"from": "2025-12-31T12:00:00Z", "to": "2026-01-01T12:00:00Z"},
    )["total"]["value"]
    now = shop.ask("flamegraph")["total"]["value"]
    assert checkout[4].startswith(f"+{digits((now - before) / CORES)} ")
    assert (checkout[6], catalog[6]) == ("1.4.0 6 h ago", "")


def test_the_function_that_a_deploy_made_grow_stands_first(shop: Shop) -> None:
    shop.open("")
    function, service, before, now, more = table(shop, "What grew most in a week")[0]
    assert (function, service) == (f"{demo.GROWN} json.cc", "checkout")
    rows = {row["function"]: row["self"] for row in shop.ask("top")["functions"]}
    assert now == digits(rows[demo.GROWN] / CORES)
    earlier = {"from": "2025-12-31T12:00:00Z", "to": "2026-01-01T12:00:00Z"}
    functions = shop.server.get("top", query=shop.query, **earlier)["functions"]
    was = next(row["self"] for row in functions if row["function"] == demo.GROWN)
    assert before == digits(was / CORES)
    assert more.startswith(f"+{digits((rows[demo.GROWN] - was) / CORES)} +")


def test_each_row_leads_to_what_it_tells_of(shop: Shop) -> None:
    shop.open("")
    page = shop.page
    page.get_by_role("link", name="catalog", exact=True).click()
    shop.settle()
    assert shop.state == {"query": 'cpu{service_name="catalog"}', **shop.range}
    page.go_back()
    page.get_by_role("link", name="1.4.0").click()
    shop.settle()
    assert shop.state["query"] == 'cpu{service_name="checkout",service_version="1.4.0"}'
    page.go_back()
    page.get_by_role("link", name=demo.GROWN).click()
    shop.settle()
    assert shop.state["search"] == f'"{demo.GROWN}"'
    page.get_by_role("link", name="profiler").click()
    expect(page.get_by_role("region", name="Services")).to_be_visible()
    assert shop.state == {}


def test_old_links_without_a_query_lead_to_the_explorer(shop: Shop) -> None:
    said = "tab=table&from=2026-01-07T12:00:00Z&to=2026-01-08T12:00:00Z"
    shop.page.goto(f"{shop.server.origin}/?{said}")
    shop.settle()
    samples = shop.ask("flamegraph", "cpu")["total"]["samples"]
    assert shop.figure("shown").startswith(f"Shown {samples:,} samples")


def test_nothing_to_compare_with_is_said(shop: Shop) -> None:
    said = "from=2025-12-31T12:00:00Z&to=2026-01-01T12:00:00Z"
    shop.page.goto(f"{shop.server.origin}/?{said}")
    expect(shop.page.get_by_text("no samples of a week before to compare with")).to_be_visible()
    assert all(row[4] == "no samples" for row in table(shop, "Services"))
