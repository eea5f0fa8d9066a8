"""The first page tells which rules of alerts fire, by a server that evaluates them."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from profiler.model import Drain
from server.config import TENANT
from server.ingest.ingester import Ingester
from server.store import migrations
from server.store.database import Database
from tests.browser import samples
from tests.browser.conftest import watched
from tests.browser.explorer import Explorer
from tests.browser.served import Served, serving
from tests.processes import eventually
from tests.server.alerts.test_webhook import receiving
from tests.server.client import get
from tests.server.drains import drain, send_all, series

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
        eventually(lambda: "firing" in states(served) or None, "the rule fires")
        for explorer in watched(Explorer(page, served)):
            page.goto(served.origin)
            explorer.settle()
            alerts = page.get_by_role("region", name="Alerts")
            expect(alerts).to_contain_text("1 of 2 rules fires.")
            row = alerts.get_by_role("row").nth(1)
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


WEEK = 7 * 24 * 3600 * samples.SECOND
GROWTH = """
every = "10s"

[webhook]
url = "{url}"

[[alert]]
name = "dearer"
query = 'cpu{{service_name="search"}}'
growth = "10%"
window = "1m"

[[alert]]
name = "as-dear"
query = 'cpu{{service_name="till"}}'
growth = "10%"
window = "1m"
"""


def test_growth_since_last_week_fires_and_what_did_not_grow_is_quiet(
    page: Page, tmp_path: Path
) -> None:
    """On the page, in the API, the metrics and the webhook, of a server started on two weeks."""
    fill(tmp_path / "profiler.db")
    with receiving() as receiver:
        (tmp_path / "alerts.toml").write_text(GROWTH.format(url=receiver.url))
        with serving(tmp_path, "--alerts", str(tmp_path / "alerts.toml")) as served:
            eventually(lambda: receiver.heard or None, "the webhook hears")
            dearer, as_dear = served.get("alerts")["alerts"]
            assert (dearer["state"], as_dear["state"]) == ("firing", "inactive")
            assert as_dear["detail"] == "nothing grew more than by chance"
            metrics = get(served.origin.removeprefix("http://"), "/metrics").body.decode()
            assert 'profiler_alert_firing{rule="dearer"} 1.0' in metrics
            assert 'profiler_alert_firing{rule="as-dear"} 0.0' in metrics
            for explorer in watched(Explorer(page, served)):
                page.goto(served.origin)
                explorer.settle()
                alerts = page.get_by_role("region", name="Alerts")
                expect(alerts).to_contain_text("1 of 2 rules fires.")
                expect(alerts).to_contain_text("rank 20.00% → 33.33%")
                expect(alerts).to_contain_text("self of any function: growth above 10%")
    (told,) = receiver.heard
    (alert,) = told["alerts"]
    assert (alert["labels"], alert["status"]) == ({"alertname": "dearer"}, "firing")
    assert alert["annotations"]["detail"] == dearer["detail"]


def fill(database: Path) -> None:
    """Two services on eight hosts, two minutes of now and of a week ago: `rank` of one costs twice
    as much as it did."""
    with Database(f"sqlite:///{database}") as opened:
        migrations.migrate(opened)
        ingester = Ingester(opened, TENANT)
        now_ns = time.time_ns()
        for host in range(8):
            name = f"h{host}"
            send_all(ingester, list(minutes(name, now_ns)), collector=host + 1)


def minutes(host: str, now_ns: int) -> Iterator[Drain]:
    for end_ns, rank in ((now_ns - WEEK, 50), (now_ns, 100)):
        for start_ns in range(end_ns - 12 * samples.STEP, end_ns, samples.STEP):
            yield drain(
                series(f"main;rank {rank}", "main;read 200", service="search", host=host),
                series("main;total 50", "main;write 200", service="till", host=host),
                start_ns=start_ns,
                host=host,
            )
