"""A real Chromium on the page of a real server, which took its samples over gRPC.

A console error, an exception, a breach of the content security policy or a request to another
origin fails the test in which it happens.
"""

import shutil
from collections.abc import Iterator
from typing import TypeVar

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.browser.explorer import Explorer, Shop
from tests.browser.served import Served, serving

T = TypeVar("T", bound=Explorer)

# What comes is not waited for any longer by it; a busy machine takes more than the usual 5 s.
expect.set_options(timeout=60_000)

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    executable = shutil.which("chromium") or pytest.skip(
        "Chromium is not installed: apt-get install chromium"
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with the samples of `tests.browser.samples`."""
    from tests.browser import samples

    with serving(tmp_path_factory.mktemp("served")) as server:
        server.ingest(samples.DRAINS)
        yield server


@pytest.fixture(scope="session")
def shop_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with the services of `tests.browser.demo`."""
    from tests.browser import demo

    with serving(tmp_path_factory.mktemp("shop")) as server:
        server.ingest(demo.drains())
        yield server


@pytest.fixture
def shop(page: Page, shop_server: Served) -> Iterator[Shop]:
    yield from watched(Shop(page, shop_server))


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A fresh profile of the browser: 1280 x 800, light, and zooms without a way to wait for."""
    context = chromium.new_context(
        viewport={"width": 1280, "height": 800}, color_scheme="light", reduced_motion="reduce"
    )
    opened = context.new_page()
    yield opened
    context.close()


@pytest.fixture
def explorer(page: Page, served: Served) -> Iterator[Explorer]:
    yield from watched(Explorer(page, served))


def watched(explorer: T) -> Iterator[T]:
    """Afterwards nothing of what a page must not do may have happened."""
    page, server = explorer.page, explorer.server
    troubles: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not explorer.expects(message.text):
            troubles.append(f"{message.type}: {message.text}")

    def see(request: Request) -> None:
        if not request.url.startswith(server.origin):
            troubles.append(f"request to {request.url}")

    page.on("console", hear)
    page.on("pageerror", lambda error: troubles.append(f"exception: {error}"))
    page.on("request", see)
    yield explorer
    assert troubles == []
