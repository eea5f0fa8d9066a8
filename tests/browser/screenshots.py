"""The pictures of the guide: the main views over the shop of `tests.browser.demo`.

python -m tests.browser.screenshots     # writes docs/images/*.png
"""

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser import demo
from tests.browser.conftest import ARGUMENTS
from tests.browser.explorer import Shop
from tests.browser.served import serving

IMAGES = Path(__file__).parents[2] / "docs" / "images"
OBJECT = {
    "function": "json::Writer::object(Cart const&)",
    "file": "/src/checkout/json.cc",
    "binary": "/usr/bin/checkout",
}


COMPARED = {
    **{"from": "2026-01-08T06:00:00Z", "to": "2026-01-08T12:00:00Z"},
    "against": Shop.query,
}
"""What a deploy brought, beside as long a time before it."""


@dataclass(frozen=True)
class Picture:
    name: str
    state: dict[str, str] = field(default_factory=dict)
    width: int = 1440
    height: int = 860
    scheme: str = "light"
    query: str = Shop.query
    moves: tuple[str, ...] = ()
    """Keys that are pressed in the flamegraph."""


PICTURES = (
    Picture("overview", query="", height=760),
    Picture("page", {"by": "service_name"}, query="cpu"),
    Picture("frame", {"side": "frame"}, scheme="dark", moves=("ArrowDown",) * 3),
    Picture("sandwich", {"tab": "sandwich", **OBJECT}),
    Picture("comparison", COMPARED),
    Picture("phone", {"tab": "flamegraph"}, width=390, height=844, scheme="dark"),
)


def main() -> None:
    executable = shutil.which("chromium")
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder)) as served,
        sync_playwright() as playwright,
    ):
        served.ingest(demo.drains())
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        for picture in PICTURES:
            context = browser.new_context(
                viewport={"width": picture.width, "height": picture.height},
                color_scheme="dark" if picture.scheme == "dark" else "light",
                reduced_motion="reduce",
                timezone_id="UTC",
            )
            shop = Shop(context.new_page(), served)
            shop.open(picture.query, **picture.state)
            for key in picture.moves:
                shop.page.locator(".flamegraph").press(key)
            shop.page.wait_for_timeout(500)  # the URL follows keys when they pause
            shop.settle()
            shop.page.wait_for_timeout(500)  # the line of waiting fades
            shop.page.screenshot(path=IMAGES / f"{picture.name}.png")
            print(IMAGES / f"{picture.name}.png")
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
