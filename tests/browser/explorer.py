"""The page as its tests speak of it."""

import math
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser import samples
from tests.browser.served import Served

ROW = 20
"""CSS pixels of a row of the flamegraph; src/flamegraph/painter.ts."""

RANGE = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T00:10:00Z"}
"""All of `tests.browser.samples`."""


@dataclass(frozen=True)
class Box:
    """A node of the flamegraph as the API tells it: [left, right) are shares of the width."""

    names: tuple[str, ...]
    left: float
    right: float
    self_value: int
    total: int


class Explorer:
    range: Mapping[str, str] = RANGE
    query = 'cpu{service_name="checkout"}'
    """What is asked unless a test says otherwise."""

    def __init__(self, page: Page, server: Served) -> None:
        self.page = page
        self.server = server
        self._expected: list[str] = []

    def expect_console(self, text: str) -> None:
        """Console messages with `text` are no trouble: Chromium logs each answer of 400 itself."""
        self._expected.append(text)

    def expects(self, message: str) -> bool:
        return any(text in message for text in self._expected)

    def open(self, query: str | None = None, **state: str) -> None:
        """The page in this state, when its answers are there; without a query, the overview."""
        chosen = self.query if query is None else query
        said = urllib.parse.urlencode({"query": chosen, **self.range, **state})
        self.page.goto(f"{self.server.origin}/?{said}")
        self.settle()

    def settle(self) -> None:
        """Waits until every answer is there and drawn."""
        expect(self.page.locator(".page[data-waiting=false]")).to_be_visible()
        self.page.evaluate(
            "new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
        )

    @property
    def state(self) -> dict[str, str]:
        """What the URL says."""
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.page.url).query))

    def ask(self, path: str, query: str | None = None, **more: Any) -> Any:
        """The API's answer to the question that `open` asks."""
        chosen = self.query if query is None else query
        return self.server.get(path, query=chosen, **self.range, **more)

    def folded(self, query: str = 'cpu{service_name="checkout"}') -> dict[tuple[str, ...], int]:
        """Samples by stack, from the export."""
        text = self.server.text("profiles", query=query, format="folded", **RANGE)
        lines = [line.rpartition(" ") for line in text.splitlines()]
        return {tuple(stack.split(";")): int(count) for stack, _, count in lines}

    # --- the flamegraph -----------------------------------------------------------------------

    def boxes(self, query: str = 'cpu{service_name="checkout"}') -> dict[tuple[str, ...], Box]:
        """Where each stack stands when nothing is zoomed, root on top."""
        answer = self.ask("flamegraph", query)
        strings, frames, nodes = answer["strings"], answer["frames"], answer["nodes"]
        whole = nodes["total"][0]
        boxes: dict[tuple[str, ...], Box] = {}
        names: list[str] = []
        edges = [0] * (max(nodes["depth"]) + 2)  # where the next node of each depth begins
        for i, depth in enumerate(nodes["depth"]):
            del names[max(depth - 1, 0) :]
            if depth:
                names.append(strings[frames["function"][nodes["frame"][i]]])
            left, total = edges[depth], nodes["total"][i]
            edges[depth], edges[depth + 1] = left + total, left
            box = Box(tuple(names), left / whole, (left + total) / whole, nodes["self"][i], total)
            boxes[box.names] = box
        return boxes

    def point(self, box: Box) -> tuple[float, float]:
        """The middle of `box` in the window, when nothing is zoomed or scrolled."""
        area = self.page.locator(".flamegraph canvas").bounding_box()
        assert area
        x = area["x"] + area["width"] * (box.left + box.right) / 2
        return x, area["y"] + (len(box.names) + 0.5) * ROW

    def hover(self, box: Box) -> Locator:
        """The tooltip over `box`."""
        self.page.mouse.move(*self.point(box))
        return self.page.get_by_role("tooltip")

    def click(self, box: Box) -> None:
        self.page.mouse.click(*self.point(box))
        self.settle()

    @property
    def selected(self) -> Locator:
        """The line that says where the keyboard's cursor stands."""
        return self.page.locator(".selected")

    @property
    def breadcrumb(self) -> list[str]:
        return self.page.locator(".breadcrumb li").all_inner_texts()

    # --- beside it ----------------------------------------------------------------------------

    def figure(self, name: str) -> str:
        """One of the accounts."""
        text = self.page.locator(f'.status [data-figure="{name}"]').inner_text()
        return " ".join(text.split())

    def search(self, text: str) -> str:
        """Types into the search field; the share that it tells."""
        self.page.get_by_label("Search frames").fill(text)
        share = self.page.locator(".search-share strong")
        expect(share).to_be_visible()
        self.page.wait_for_function(
            "text => (new URLSearchParams(location.search).get('search') ?? '') === text", arg=text
        )
        return share.inner_text()

    def rows(self) -> list[list[str]]:
        """Function, self and total of the rows of the table that are drawn."""
        rows: list[list[str]] = self.page.evaluate(
            """() => [...document.querySelectorAll(".top tbody tr:not(.space)")].map((row) => [
              row.querySelector(".top-function").textContent,
              row.querySelector(".top-self .amount-value").textContent,
              row.querySelector(".top-total .amount-value").textContent,
            ])"""
        )
        return rows


class Shop(Explorer):
    """The page over the day of `tests.browser.demo`."""

    range: Mapping[str, str] = {"from": "2026-01-07T12:00:00Z", "to": "2026-01-08T12:00:00Z"}


def seconds(value_ns: int) -> str:
    """As the page writes the values of these tests, all of them from 1 s to 100 s or 0."""
    value = value_ns / samples.SECOND
    if value_ns == 0:
        return "0 s"
    return f"{value:.2f} s" if value < 9.995 else f"{value:.1f} s"


def digits(number: float) -> str:
    """As the page writes numbers below 100: two or three digits."""
    if number == 0:
        return "0"
    if number < 0.00995:
        return f"{number:.{1 - math.floor(math.log10(number))}f}"
    return f"{number:.{3 if number < 0.0995 else 2 if number < 9.995 else 1}f}"


def percent(part: float, whole: float) -> str:
    """As the page writes shares, here of 0.01 % and more."""
    share = 100 * part / whole
    if share == 100:
        return "100%"
    return f"{share:.2f}%" if share < 9.995 else f"{share:.1f}%"
