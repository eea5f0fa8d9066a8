"""Stacks focused, folded and grouped: controls, numbers and the link."""

import pytest
from playwright.sync_api import expect

from tests.browser.explorer import Explorer

pytestmark = pytest.mark.browser


def test_stacks_are_transformed_by_the_controls_and_the_link_says_how(explorer: Explorer) -> None:
    explorer.open()
    page = explorer.page
    page.get_by_role("button", name="Transform").click()
    page.get_by_label("Focus on").fill("^walk$")
    page.get_by_label("Focus on").press("Enter")
    explorer.settle()
    stacks = explorer.folded()
    kept = sum(count for stack, count in stacks.items() if "walk" in stack)
    assert explorer.figure("shown").startswith(f"Shown {kept:,} samples")
    page.get_by_label("Collapse recursion").check()
    page.get_by_label("Merge threads").check()
    page.get_by_label("Hide", exact=True).fill("kind:kernel")
    page.get_by_label("Hide", exact=True).press("Enter")
    page.get_by_label("Frames by").select_option("host_name")
    explorer.settle()
    assert explorer.figure("shown").startswith(f"Shown {kept:,} samples")
    said = {name: explorer.state[name] for name in ("focus", "hide", "recursion", "threads")}
    assert said == {
        "focus": "^walk$",
        "hide": "kind:kernel",
        "recursion": "collapse",
        "threads": "merge",
    }
    assert explorer.state["group"] == "label:host_name"
    names = {name for name, _, _ in explorer.rows()}
    assert names == {"main", "checkout::Cart::total(int) const", "walk", "hash_lookup"} | {
        "[truncated: depth]"
    }
    page.reload()
    explorer.settle()
    page.get_by_role("button", name="Transform (5)").click()
    expect(page.get_by_label("Hide", exact=True)).to_have_value("kind:kernel")
    page.get_by_role("button", name="Stacks as they are").click()
    explorer.settle()
    assert explorer.figure("shown").startswith(f"Shown {sum(stacks.values()):,} samples")
    assert not {"focus", "hide", "group"} & explorer.state.keys()


def test_an_export_has_the_stacks_as_they_are_shown(explorer: Explorer) -> None:
    explorer.open(hide="^(main|walk)$")
    page = explorer.page
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="folded").click()
    text = download.value.path().read_text()
    assert text == explorer.server.text(
        "profiles",
        query='cpu{service_name="checkout"}',
        hide="^(main|walk)$",
        **{"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T00:10:00Z"},
    )
    assert ";walk" not in text


def test_an_expression_with_a_mistake_is_told(explorer: Explorer) -> None:
    explorer.expect_console("400")
    explorer.open(focus="(")
    expect(explorer.page.get_by_text("not a regular expression (RE2)")).to_be_visible()
