"""The timeline by the values of a label, and the deploys in it."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser import demo
from tests.browser.explorer import Shop, digits

pytestmark = pytest.mark.browser


def legend(shop: Shop) -> dict[str, str]:
    """The number at each value."""
    entries: list[list[str]] = shop.page.locator(".timeline-legend li").evaluate_all(
        "entries => entries.map((entry) => entry.innerText.split('\\n'))"
    )
    return {name.strip(): number.strip() for name, number in entries}


def cores(line: dict[str, Any]) -> str:
    return digits(sum(line["values"]) / demo.DAY)


def painted(shop: Shop, share: float) -> str:
    """The colour just above the axis, at a share of the width."""
    colour: str = shop.page.locator(".timeline canvas").evaluate(
        """(canvas, share) => {
          const ratio = devicePixelRatio;
          const x = (40 + share * (canvas.width / ratio - 58)) * ratio;
          const y = canvas.height - (24 + 3) * ratio;
          const [r, g, b] = canvas.getContext("2d").getImageData(x, y, 1, 1).data;
          return "#" + [r, g, b].map((c) => c.toString(16).padStart(2, "0")).join("");
        }""",
        share,
    )
    return colour


def test_a_label_parts_the_timeline(shop: Shop) -> None:
    shop.open("cpu")
    shop.page.get_by_label("Group by").select_option("service_name")
    shop.settle()
    assert shop.state["by"] == "service_name"
    groups = shop.ask("timeline", "cpu", by="service_name")["groups"]
    assert legend(shop) == {group["label_value"]: cores(group) for group in groups}
    assert painted(shop, 0.52) == "#0072b2"


def test_a_click_in_the_legend_narrows_to_the_value(shop: Shop) -> None:
    shop.open("cpu", by="service_name")
    shop.page.get_by_title('Only service_name="search"').click()
    shop.settle()
    assert shop.state["query"] == 'cpu{service_name="search"}'
    samples = shop.ask("flamegraph", 'cpu{service_name="search"}')["total"]["samples"]
    assert shop.figure("shown").startswith(f"Shown {samples:,} samples")
    assert list(legend(shop)) == ["search"]
    shop.page.go_back()
    shop.settle()
    assert len(legend(shop)) == len(demo.SERVICES)


def test_lines_stand_side_by_side_when_asked_to(shop: Shop) -> None:
    shop.open("cpu", by="host_name")
    before = painted(shop, 0.52)
    shop.page.get_by_role("button", name="Stacked").click()
    assert shop.state["stack"] == "0"
    shop.page.reload()
    shop.settle()
    expect(shop.page.get_by_role("button", name="Stacked")).to_have_attribute(
        "aria-pressed", "false"
    )
    assert painted(shop, 0.52) != before


def test_the_pointer_reads_each_line(shop: Shop) -> None:
    shop.open("cpu", by="service_name")
    area = shop.page.locator(".u-over").bounding_box()
    assert area
    shop.page.mouse.move(area["x"] + area["width"] * 0.5, area["y"] + 40)
    answer = shop.ask("timeline", "cpu", by="service_name")
    second = answer["step"] * 1_000_000
    checkout = [digits(value / second) for value in answer["groups"][0]["values"]]
    middle = len(checkout) // 2
    expect(shop.page.locator(".readout")).to_contain_text("samples")
    assert legend(shop)["checkout"] in checkout[middle - 2 : middle + 3]


def test_deploys_are_marked_where_they_were(shop: Shop) -> None:
    shop.open("cpu")
    found = shop.ask("deploys", "cpu")["deploys"]
    assert {(one["service"], one["version"]) for one in found} >= {
        ("checkout", "1.4.0"),
        ("search", "0.19"),
    }
    mark = shop.page.locator(".mark").last
    over, place = shop.page.locator(".u-over").bounding_box(), mark.bounding_box()
    assert over
    assert place
    share = (demo.DEPLOYED - demo.START) / demo.DAY
    assert abs(place["x"] - over["x"] - share * over["width"]) < 1.5
    tip = mark.locator(".mark-tip")
    expect(tip).to_be_hidden()
    mark.get_by_role("button").hover()
    expect(tip).to_be_visible()
    expect(tip).to_contain_text("checkout 1.4.0")
    expect(tip).to_contain_text("before: 1.3.9 · 3 hosts")


def test_a_deploy_leads_to_its_version(shop: Shop) -> None:
    shop.open()
    mark = shop.page.locator(".mark").last.get_by_role("button")
    mark.press("Enter")
    shop.settle()
    assert shop.state["query"] == 'cpu{service_name="checkout",service_version="1.4.0"}'
