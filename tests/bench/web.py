"""How smoothly the flamegraph zooms, in a headless Chromium that draws in software.

python -m tests.bench.web

A frame's work is what the browser's main thread does for it, script, layout and drawing: from its
first animation callback to the first message behind it. The page is asked for every node of the
profile, so that nothing is spared by the usual limit of nodes.
"""

import gzip
import random
import shutil
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Route, sync_playwright

from profiler.model import Frame, Profile, ProfileBuilder
from tests.browser import samples
from tests.browser.conftest import ARGUMENTS
from tests.browser.explorer import Explorer
from tests.browser.served import serving
from tests.builders import PERIOD_NS

SIZES = (20_000, 200_000)
SCREENS = ((1280, 800), (2560, 1300))
ZOOMS = 12
DEPTH = 27
"""20,000 nodes are then 740 columns: 1.7 pixels each on the small screen, none too thin."""
STATIC = Path(__file__).parents[2] / "server" / "static"

WATCH = """
const native = window.requestAnimationFrame;
const { port1, port2 } = new MessageChannel();
let began = null;
window.work = [];
port2.onmessage = () => { window.work.push(performance.now() - began); began = null; };
window.requestAnimationFrame = (draw) => native((now) => {
  if (began === null) { began = performance.now(); port1.postMessage(0); }
  draw(now);
});
"""
"""Keeps the milliseconds of every frame in `window.work`."""

ZOOM = """async (zooms) => {
  const graph = document.querySelector(".flamegraph");
  window.work.length = 0;
  for (let zoom = 0; zoom < zooms; zoom++) {
    const { x, y } = graph.getBoundingClientRect();
    const row = zoom % 2 ? 0 : 1;
    graph.dispatchEvent(new PointerEvent("click", { clientX: x + 20, clientY: y + row * 20 + 10 }));
    await new Promise((rested) => setTimeout(rested, 300));
  }
  return window.work;
}"""
"""Into the left half, back, and so on: about every box is in view on the way."""


def main() -> None:
    script = next(STATIC.glob("assets/main-*.js")).read_bytes()
    size, packed = len(script) / 1024, len(gzip.compress(script)) / 1024
    print(f"JavaScript of the page: {size:.0f} KB, {packed:.0f} KB with gzip")
    print("   nodes        screen   shown after    work p50    work p95   frames")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=ARGUMENTS
        )
        for nodes in SIZES:
            measure(browser, nodes)
        browser.close()


def measure(browser: Browser, nodes: int) -> None:
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server:
        server.ingest([samples.drain("c", samples.START, dense(nodes))])
        for width, height in SCREENS:
            page = browser.new_page(viewport={"width": width, "height": height})
            page.add_init_script(WATCH)
            page.route("**/api/v1/flamegraph*", every_node)
            explorer = Explorer(page, server)
            explorer.open("cpu", tab="flamegraph")
            shown_ms = page.evaluate("performance.now()")
            frames = page.evaluate(ZOOM, ZOOMS)
            page.close()
            p95 = statistics.quantiles(frames, n=20)[-1]
            print(
                f"{nodes:8,}   {width:5} x {height:4}   {shown_ms:8.0f} ms   "
                f"{statistics.median(frames):6.1f} ms   {p95:6.1f} ms   {len(frames):6}"
            )


def every_node(route: Route) -> None:
    route.continue_(url=f"{route.request.url}&max_nodes=1000000")


def dense(nodes: int) -> Profile:
    """Columns of long stacks beside each other, so that as many boxes as can be are in view."""
    choose = random.Random(1)
    frames = [Frame(f"checkout::Step{n}::run(int)", binary=f"lib{n % 50}.so") for n in range(5000)]
    builder = ProfileBuilder()
    columns = nodes // DEPTH
    for column in range(columns):
        trunk = [frames[column * 2 // columns], frames[column // 9]]
        stack = trunk + choose.choices(frames, k=DEPTH)
        count = choose.randint(1, 9)
        builder.add(stack, count, count * PERIOD_NS)
    labels = (("host_name", "c"), ("service_name", "dense"))
    return builder.build(period=PERIOD_NS, labels=labels)


if __name__ == "__main__":
    main()
