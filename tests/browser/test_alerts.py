"""The first page tells which rules of alerts fire, by a server that evaluates them."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from profiler.model import Drain
from tests.browser import samples
from tests.browser.conftest import watched
from tests.browser.explorer import Explorer
from tests.browser.served import Served, serving
from tests.processes import eventually

pytestmark = pytest.mark.browser

RULES = """
every = "10s"

[[alert]]
name = "quiet"
query = "cpu"
function = "no_such_function"
share = "1%"

[[alert]]
name = "hash-is-dear"
query = 'cpu{service_name="checkout"}'
function = "hash_lookup"
share = "50%"
"""


def test_a_rule_that_fires_leads_to_what_it_is_about(page: Page, tmp_path: Path) -> None:
    (tmp_path / "alerts.toml").write_text(RULES)
    with serving(tmp_path, "--alerts", str(tmp_path / "alerts.toml")) as served:
        served.ingest(just_now())
        eventually(lambda: "firing" in states(served) or None, "the rule fires", 60)
        for explorer in watched(Explorer(page, served)):
            page.goto(served.origin)
            explorer.settle()
            alerts = page.get_by_role("region", name="Alerts")
            expect(alerts).to_contain_text("1 of 2 rules fires.")
            row = alerts.get_by_role("row")
            expect(row).to_contain_text("hash-is-dear")
            expect(row).to_contain_text("self of hash_lookup: share above 50%")
            row.get_by_role("link").click()
            expect(page.get_by_role("region", name="Alerts")).to_have_count(0)
            assert "hash_lookup" in page.url


def just_now() -> Iterator[Drain]:
    """A minute of the service `checkout` that ends now."""
    end_ns = time.time_ns()
    for number in range(6, 0, -1):
        yield replace(samples.DRAINS[0], start_ns=end_ns - number * samples.STEP)


def states(served: Served) -> set[str]:
    return {one["state"] for one in served.get("alerts")["alerts"]}
