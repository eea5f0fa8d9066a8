"""axe, the accessibility checker, over the main views: nothing serious in any theme or width.

axe is put in by the test alone: the page's policy lets no script in that is not its own, so the
browser is told to bypass it here and nowhere else.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import watched
from tests.browser.explorer import Shop
from tests.browser.served import Served

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[2] / "server/web/node_modules/axe-core/axe.min.js"
OBJECT = "json::Writer::object(Cart const&)"
VIEWS: dict[str, dict[str, str]] = {
    "overview": {"query": ""},
    "both": {"search": "json", "by": "host_name"},
    "frame": {"tab": "table", "side": "frame", "function": OBJECT},
    "history": {"tab": "table", "side": "history", "function": OBJECT},
    "sandwich": {"tab": "sandwich", "function": OBJECT},
    "comparison": {"against": Shop.query, "from": "2026-01-08T06:00:00Z"},
    "nothing": {"query": 'cpu{service_name="nobody"}'},
}
SIZES = {"phone": (390, 844), "tablet": (820, 1180), "desk": (1440, 900)}


@pytest.fixture
def loose(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(bypass_csp=True, reduced_motion="reduce")
    yield context.new_page()
    context.close()


def faults(page: Page) -> list[str]:
    """What is serious or critical, with where it stands."""
    found: list[dict[str, Any]] = page.evaluate(
        "async () => (await axe.run({resultTypes: ['violations']})).violations"
    )
    return [
        f"{one['id']} ({one['impact']}): {node['html'][:160]} {node['failureSummary']}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"][:3]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_nothing_serious(loose: Page, shop_server: Served, size: str, scheme: str) -> None:
    width, height = SIZES[size]
    loose.set_viewport_size({"width": width, "height": height})
    loose.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for shop in watched(Shop(loose, shop_server)):
        found = {}
        for view, state in VIEWS.items():
            shop.open(**state)
            loose.add_script_tag(path=AXE)
            found[view] = faults(loose)
        shop.open()
        loose.keyboard.press("?")
        loose.add_script_tag(path=AXE)
        found["help"] = faults(loose)
        assert {view: said for view, said in found.items() if said} == {}
