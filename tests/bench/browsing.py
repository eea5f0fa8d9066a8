"""What a page does in a Chromium that draws in software: its frames, and when it first draws.

A frame's work is what the browser's main thread does for it, script, layout and drawing: from its
first animation callback to the first message behind it.
"""

import shutil
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import ARGUMENTS

SCREEN = (1280, 800)

_WATCH = """
const native = window.requestAnimationFrame;
const { port1, port2 } = new MessageChannel();
let began = null;
let drew = false;
window.frames_ = [];
port2.onmessage = () => {
  window.frames_.push({ began, ended: performance.now(), drew });
  began = null;
  drew = false;
};
window.requestAnimationFrame = (draw) => native((now) => {
  if (began === null) { began = performance.now(); port1.postMessage(0); }
  draw(now);
});
for (const [context, method] of [
  [CanvasRenderingContext2D, "drawImage"],
  [WebGLRenderingContext, "drawArrays"],
]) {
  const drawn = context.prototype[method];
  context.prototype[method] = function (...given) { drew = true; return drawn.apply(this, given); };
}
"""
"""Keeps every frame in `window.frames_`, and whether anything was drawn in it."""

_MOVE = """async (steps) => {
  const canvas = [...document.querySelectorAll("canvas")].sort((a, b) =>
    b.getBoundingClientRect().height - a.getBoundingClientRect().height)
    .find((canvas) => canvas.getBoundingClientRect().height < innerHeight);
  const { left, top, width, height } = canvas.getBoundingClientRect();
  const at = { clientX: left + 0.4 * width, clientY: top + 0.3 * height };
  const over = document.elementFromPoint(at.clientX, at.clientY);
  const turn = (wheel) => over.dispatchEvent(
    new WheelEvent("wheel", { bubbles: true, cancelable: true, ...at, ...wheel }));
  const frame = () => new Promise((next) => setTimeout(() => requestAnimationFrame(next)));
  window.frames_.length = 0;
  for (const wheel of [
    { deltaY: -60, ctrlKey: true }, { deltaX: 40 }, { deltaX: -40 }, { deltaY: 60, ctrlKey: true },
  ]) {
    for (let step = 0; step < steps; step++) { turn(wheel); await frame(); }
  }
  return window.frames_.filter(({ drew }) => drew).map(({ began, ended }) => ended - began);
}"""
"""In at a point, right, left, and out again, a turn of the wheel a frame."""


@dataclass(frozen=True, slots=True)
class Frames:
    """Milliseconds of work of each."""

    work: Sequence[float]

    @property
    def p50(self) -> float:
        return statistics.median(self.work)

    @property
    def p95(self) -> float:
        return statistics.quantiles(self.work, n=20)[-1]


@contextmanager
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Without the flag, speedscope has no WebGL to draw with.
        arguments = [*ARGUMENTS, "--enable-unsafe-swiftshader"]
        opened = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=arguments
        )
        yield opened
        opened.close()


@contextmanager
def page(browser: Browser, screen: tuple[int, int] = SCREEN) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": screen[0], "height": screen[1]})
    opened.set_default_timeout(120_000)
    opened.add_init_script(_WATCH)
    yield opened
    opened.close()


def drawn_after(page: Page, condition: str, since: float = 0) -> float:
    """When the first frame ended that was drawn after `since`, once `condition` (an expression) is
    true; in milliseconds by the page's clock."""
    page.wait_for_function(f"() => {condition}")
    page.wait_for_function(f"() => window.frames_.some((f) => f.drew && f.began > {since})")
    found: float = page.evaluate(
        f"window.frames_.find((frame) => frame.drew && frame.began > {since}).ended"
    )
    return found


def moved(page: Page, steps: int = 30) -> Frames:
    """Zooms in, pans and zooms out by the wheel."""
    return Frames(page.evaluate(_MOVE, steps))
