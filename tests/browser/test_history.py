"""What a function cost in the days before: its level, and the deploy that changed it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from profiler.model import Drain
from server.config import TENANT
from server.ingest.ingester import Ingester
from server.store import migrations
from server.store.database import Database
from tests.browser.conftest import watched
from tests.browser.explorer import Explorer
from tests.browser.served import serving
from tests.server.drains import MIDNIGHT, drain, send_all, series

pytestmark = pytest.mark.browser

HOUR = 3600 * 10**9
DAYS, CHANGED = 24, 15
"""The deploy comes at noon of the day before `parse` is dearer all day."""


def drains() -> Iterator[Drain]:
    for number in range(DAYS * 6):
        dearer = number >= 6 * CHANGED + 3
        parse = (150 if dearer else 100) + (number * 7) % 11
        lines = f"main;parse {parse}", f"main;read {900 + (number * 5) % 13}"
        version = "1.4" if dearer else "1.3"
        start_ns = MIDNIGHT + number * 4 * HOUR
        yield drain(series(*lines, service_version=version), start_ns=start_ns)


def test_a_change_of_a_function_is_told_with_its_deploy(page: Page, tmp_path: Path) -> None:
    with Database(f"sqlite:///{tmp_path}/profiler.db") as database:
        migrations.migrate(database)
        send_all(Ingester(database, TENANT), drains())
    with serving(tmp_path) as served:
        for explorer in watched(Explorer(page, served)):
            chosen = {"from": "2026-01-24T00:00:00Z", "to": "2026-01-25T00:00:00Z"}
            explorer.range = chosen
            explorer.open(side="history", function="parse")
            history = page.locator(".history")
            expect(history).to_have_attribute("data-lines", "1")
            changes = page.get_by_role("list", name="Changes").get_by_role("listitem")
            expect(changes).to_have_count(1)
            expect(changes).to_contain_text("16 Jan")
            expect(changes).to_contain_text("after checkout 1.4")
            history.get_by_text("Days").click()
            rows = history.get_by_role("row")
            expect(rows).to_have_count(DAYS)
            expect(rows.first).to_contain_text("24 Jan")
            answer = explorer.ask("top")
            parse = next(row for row in answer["functions"] if row["function"] == "parse")
            share = 100 * parse["total"] / answer["total"]["value"]
            expect(rows.first).to_contain_text(f"{share:.1f}%")
            page.get_by_label("Group by", exact=False).first.select_option("service_version")
            expect(history).to_have_attribute("data-lines", "2")
            expect(history).to_contain_text("service_version=1.4")
