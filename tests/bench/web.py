"""The page in a headless Chromium that draws in software, beside speedscope on the same profile.

    make bench-web

    first view   of 24 hours of one service on a server that has answered before: from the click to
                 the frame that shows it, and what came over the wire
    million      a profile of 1,000,000 nodes as our HTML file, and as a file for speedscope: until
                 it is first drawn (speedscope by time, then left heavy), and the work of a frame
                 while a wheel zooms and pans
    search       by regular expressions over the million: from question to frame
    page         every node of columns of long stacks, so that as many boxes as can be are in view

The figures want a quiet machine: all of it is drawn by the CPU.
"""

import argparse
import base64
import gzip
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Browser, Page

from profiler.formats import html, speedscope
from profiler.model import Profile
from server.store import migrations
from server.store.database import Database
from server.store.hours import DAY_HOURS, HOUR_NS
from tests.bench import browsing, fleet
from tests.bench.columns import columns
from tests.bench.fleet import FIRST_HOUR, Size
from tests.bench.report import Figure, Report, report
from tests.bench.stored import Store
from tests.browser import samples
from tests.browser.explorer import Explorer
from tests.browser.served import Served, serving
from tests.builders import random_profile

STATIC = Path(__file__).parents[2] / "server" / "static"
SPEEDSCOPE = Path(__file__).parent / "speedscope"
HOSTS = 10
POOL = 3
"""Of 100,000 stacks, 180,000 nodes."""
MILLION = 900_000
"""Asked for; 1,011,727 come."""
ROUNDS = 5
EXPRESSIONS = ["_1[0-9]$", "^function_(2|3)", "[02468]$", "n_9+", "_(1|7)5.?$"]
ROW = "{:<58} {:>10} {:<4} {:>9} {:>12}  {}".format


class Table:
    """Prints rows, and reports their figures."""

    def __init__(self, kept: Report) -> None:
        self._kept = kept
        print(ROW("", "measured", "", "demand", "speedscope", "demands met"), flush=True)

    def add(
        self,
        what: str,
        value: float,
        unit: str,
        at_most: float | None = None,
        beside: float | None = None,
        times: float | None = None,
    ) -> None:
        """`beside` is speedscope's value, to be `times` as large at least."""
        figures = [Figure("web", what, value, unit, None, at_most, "speedscope", beside)]
        if beside and times:
            figures.append(Figure("web", f"{what}, beside it", beside / value, "times", times))
        met = self._kept.add(*figures)
        theirs = f"{beside:,.0f} {unit}" if beside else ""
        demanded = any(figure.demand for figure in figures)
        print(
            ROW(what, f"{value:,.1f}", unit, figures[0].demand, theirs, met if demanded else ""),
            flush=True,
        )


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(prog="make bench-web")
    parser.add_argument("parts", nargs="*", help=f"{', '.join(PARTS)}; all without a name")
    chosen = parser.parse_args(arguments).parts or list(PARTS)
    with report("bench-web") as kept, browsing.browser() as browser:
        table = Table(kept)
        for name in chosen:
            with tempfile.TemporaryDirectory() as folder:
                PARTS[name](browser, Path(folder), table)


def first_view(browser: Browser, folder: Path, table: Table) -> None:
    script = next(STATIC.glob("assets/main-*.js")).read_bytes()
    packed = len(gzip.compress(script)) / 1024
    table.add("JavaScript of the first page, gzip", packed, "KB", at_most=150)
    query = fill(folder)
    with serving(folder) as server:
        shown, kilobytes, nodes = [], 0.0, 0
        for _ in range(ROUNDS + 1):
            with browsing.page(browser) as page:
                ms, kilobytes = clicked(page, server, query)
                shown.append(ms)
        nodes = len(day_of(server, query, max_nodes=1_000_000)["nodes"]["depth"])
    first, *others = shown
    table.add("first view after the start of the server, 24 h", first, "ms")
    what = f"first view, 24 h of one service, {nodes:,} nodes"
    table.add(what, statistics.median(others), "ms", at_most=300)
    table.add("payload of that view, gzip", kilobytes, "KB", at_most=400)


def fill(folder: Path) -> str:
    """A selector of a service with a day in the store."""
    pool = replace(fleet.pools(POOL + 1)[POOL], number=0)
    database = Database(f"sqlite:///{folder}/profiler.db")
    migrations.migrate(database)
    store = Store(database, [pool], Size(HOSTS, HOSTS, 1, 1))
    store.number()
    for hour in range(DAY_HOURS):
        store.add_chunks(pool, hour, [pool.hour(host, hour) for host in range(HOSTS)])
    store.renew()
    store.account()
    store.close()
    return f'cpu{{service_name="{pool.service}"}}'


def day() -> dict[str, str]:
    """Not from hour to hour, as no range is that somebody chooses."""
    start, minute = FIRST_HOUR * HOUR_NS // 1_000_000, 60_000
    end = start + DAY_HOURS * HOUR_NS // 1_000_000
    return {"from": str(start + 7 * minute), "to": str(end - 3 * minute)}


def day_of(server: Served, query: str, **more: int) -> dict[str, dict[str, list[int]]]:
    answer: dict[str, dict[str, list[int]]] = server.get("flamegraph", query=query, **day(), **more)
    return answer


def clicked(page: Page, server: Served, query: str) -> tuple[float, float]:
    """Milliseconds from a click that leads from a page that shows nothing to the day, and the
    kilobytes of the flamegraph's answer."""
    Explorer(page, server).open("cpu", **{"from": "1", "to": "2"})
    link = {"query": query, **day()}
    page.evaluate(
        """(link) => {
          performance.clearResourceTimings();
          window.clicked = performance.now();
          history.pushState(null, "", `?${new URLSearchParams(link)}`);
          dispatchEvent(new PopStateEvent("popstate"));
        }""",
        link,
    )
    came = "performance.getEntriesByType('resource').find((e) => e.name.includes('/flamegraph'))"
    page.wait_for_function(f"() => {came}")
    ended: float = page.evaluate(f"{came}.responseEnd")
    kilobytes: float = page.evaluate(f"{came}.encodedBodySize") / 1024
    clicked_at: float = page.evaluate("window.clicked")
    return browsing.drawn_after(page, "true", ended) - clicked_at, kilobytes


def million(browser: Browser, folder: Path, table: Table) -> None:
    profile = random_profile(MILLION)
    nodes = f"{len(profile.parents):,} nodes"
    theirs = speedscope_of(browser, folder, profile)
    with browsing.page(browser) as page:
        page.goto(written(folder, profile).as_uri())
        ours = browsing.drawn_after(page, "true")
        table.add(f"load and first paint, {nodes}", ours, "ms", None, theirs[0], 10)
        table.add("the same, left heavy", ours, "ms", None, theirs[1], 10)
        browsing.moved(page)
        frames = browsing.moved(page)
    table.add("frame of zoom and pan, p50", frames.p50, "ms", None, theirs[2].p50)
    table.add("frame of zoom and pan, p95", frames.p95, "ms", 16, theirs[2].p95)


def written(folder: Path, profile: Profile) -> Path:
    path = folder / "million.html"
    path.write_bytes(html.dumps(profile))
    return path


def speedscope_of(
    browser: Browser, folder: Path, profile: Profile
) -> tuple[float, float, browsing.Frames]:
    """Milliseconds until it is drawn, and until it is drawn left heavy; frames of that view."""
    subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"],
        cwd=SPEEDSCOPE,
        check=True,
    )
    encoded = base64.b64encode(speedscope.dumps(profile)).decode()
    script = folder / "million.js"  # as the command `speedscope FILE` hands a file over
    script.write_text(f'speedscope.loadFileFromBase64("million", "{encoded}")')
    index = SPEEDSCOPE / "node_modules/speedscope/dist/release/index.html"
    with browsing.page(browser) as page:
        page.goto(f"{index.as_uri()}#localProfilePath={script}")
        loaded = f"document.title.startsWith({profile.type.name!r})"
        first = browsing.drawn_after(page, loaded)
        page.wait_for_timeout(1000)
        before: float = page.evaluate("performance.now()")
        page.keyboard.press("2")
        heavy = browsing.drawn_after(page, "true", before) - before
        page.wait_for_timeout(1000)
        browsing.moved(page)
        return first, first + heavy, browsing.moved(page)


def search(browser: Browser, folder: Path, table: Table) -> None:
    with browsing.page(browser) as page:
        page.goto(written(folder, random_profile(MILLION)).as_uri())
        browsing.drawn_after(page, "true")
        took = [asked(page, f"/{expression}/") for expression in EXPRESSIONS]
    table.add("search of 1,000,000 nodes, the first", took[0], "ms")
    table.add("search of 1,000,000 nodes, median", statistics.median(took), "ms", at_most=50)


def asked(page: Page, expression: str) -> float:
    began: float = page.evaluate(
        """async (expression) => {
          const before = document.querySelector(".search-share").textContent;
          const began = performance.now();
          location.hash = "#" + new URLSearchParams({ search: expression });
          const told = () => document.querySelector(".search-share").textContent;
          while (told() === before || told() === "") {
            await new Promise((next) => setTimeout(next));
          }
          return began;
        }""",
        expression,
    )
    page.wait_for_timeout(300)
    ended: float = page.evaluate("window.frames_.filter(({ drew }) => drew).at(-1).ended")
    return ended - began


def page_frames(browser: Browser, folder: Path, table: Table) -> None:
    for nodes in (20_000, 200_000):
        with tempfile.TemporaryDirectory(dir=folder) as own, serving(Path(own)) as server:
            server.ingest([samples.drain("c", samples.START, columns(nodes))])
            for screen in ((1280, 800), (2560, 1300)):
                with browsing.page(browser, screen) as page:
                    page.route(
                        "**/api/v1/flamegraph*",
                        lambda route: route.continue_(url=f"{route.request.url}&max_nodes=1000000"),
                    )
                    Explorer(page, server).open("cpu", tab="flamegraph")
                    browsing.moved(page)
                    frames = browsing.moved(page)
                what = f"frame of the page, {nodes:,} nodes, {screen[0]} x {screen[1]}, p95"
                table.add(what, frames.p95, "ms")


PARTS = {"first": first_view, "million": million, "search": search, "page": page_frames}


if __name__ == "__main__":
    main(sys.argv[1:])
