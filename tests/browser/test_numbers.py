"""The accounts and the table: numbers equal to the API's."""

import pytest
from playwright.sync_api import expect

from tests.browser import samples
from tests.browser.explorer import Explorer, seconds

pytestmark = pytest.mark.browser


def test_the_accounts_close(explorer: Explorer) -> None:
    explorer.open('cpu{service_name="report"}')
    accounts = explorer.ask("flamegraph", 'cpu{service_name="report"}')["accounts"]
    assert accounts["taken"] == accounts["stored"] + samples.RING_FULL
    assert explorer.figure("shown") == "Shown 720 samples · 7.20 s"
    assert explorer.figure("taken") == f"Taken {accounts['taken']:,}"
    assert explorer.figure("stored") == f"Stored {accounts['stored']:,}"
    assert explorer.figure("lost") == "Lost 7 (0.18%) ring_full 7"
    expect(explorer.page.locator(".status")).to_contain_text("2 hosts · 2 series · 90 profiles")


def test_nothing_lost_is_said_too(explorer: Explorer) -> None:
    explorer.open()
    assert explorer.figure("lost") == "Lost 0"


def test_stacks_that_were_cut_short_are_counted(explorer: Explorer) -> None:
    explorer.open()
    assert explorer.figure("cut short") == "Cut short 120 samples (3.70%) depth 120"


@pytest.mark.parametrize("sort", ["self", "total"])
def test_the_table_is_the_servers(explorer: Explorer, sort: str) -> None:
    explorer.open(sort=sort)
    functions = explorer.ask("top")["functions"]
    other = "total" if sort == "self" else "self"
    functions.sort(key=lambda row: (-row[sort], -row[other], row["function"]))
    assert explorer.rows() == [
        [row["function"], seconds(row["self"]), seconds(row["total"])] for row in functions
    ]


def test_the_table_sorts_by_its_headings(explorer: Explorer) -> None:
    explorer.open()
    heading = explorer.page.get_by_role("columnheader", name="Function")
    heading.get_by_role("button").click()
    names = [name for name, _, _ in explorer.rows()]
    assert names == sorted(names)
    expect(heading).to_have_attribute("aria-sort", "ascending")
    heading.get_by_role("button").click()
    assert [name for name, _, _ in explorer.rows()] == names[::-1]


def test_the_table_is_filtered_and_says_of_how_many(explorer: Explorer) -> None:
    explorer.open()
    explorer.page.get_by_label("Filter functions").fill("hash")
    assert [name for name, _, _ in explorer.rows()] == ["hash_lookup"]
    expect(explorer.page.locator(".top-count")).to_have_text("1 of 8 functions")


def test_every_row_of_a_long_table_can_be_scrolled_to(explorer: Explorer) -> None:
    query = 'cpu{service_name="huge"}'
    explorer.open(query, tab="table", sort="name", descending="0")
    functions = explorer.ask("top", query)["functions"]
    assert len(functions) > 1000
    assert len(explorer.rows()) < 100
    explorer.page.locator(".top-scroll").evaluate("list => list.scrollTo(0, list.scrollHeight)")
    explorer.page.wait_for_timeout(100)
    assert explorer.rows()[-1][0] == max(row["function"] for row in functions)


def test_a_row_finds_its_function_in_the_flamegraph(explorer: Explorer) -> None:
    explorer.open()
    explorer.page.get_by_role("button", name="walk").click()
    expect(explorer.page.locator(".search-share strong")).to_have_text("77.8%")
    assert explorer.state["search"] == '"walk"'
