import assert from "node:assert/strict";
import { test } from "node:test";
import { frameColour, group, shareColours, shareStep } from "../src/lib/colour";
import { packageOf } from "../src/lib/names";
import { ordered } from "../src/lib/order";
import { type Frame, type FrameTree, type Kind, unsent } from "../src/lib/tree";
import { panned, spanOf, viewOf, zoomed } from "../src/lib/view";
import { frame, randomTree, tree } from "./folded";

const path = (of: FrameTree, node: number): string =>
  node === 0 ? "" : `${path(of, of.parent[node])};${of.frames[of.frame[node]].function}`;

test("by name, every stack has the numbers it had, and siblings are sorted", () => {
  const of = randomTree(3000);
  const sorted = ordered(of, "name");
  const rows = (some: FrameTree) =>
    Array.from({ length: some.count }, (_, at) =>
      [path(some, at), some.total[at], some.self[at], some.samples[at]].join(" "),
    );
  assert.deepEqual(rows(sorted).sort(), rows(of).sort());
  for (let at = 1; at < sorted.count; at++) {
    const next = sorted.end[at];
    if (next < sorted.end[sorted.parent[at]]) assert.ok(path(sorted, at) < path(sorted, next));
    assert.equal(unsent(sorted, at), 0);
  }
  assert.equal(ordered(of, "size"), of);
});

test("a package is told by scope, path or binary", () => {
  const named = (name: string, of: Partial<Frame> = {}) => packageOf({ ...frame(name), ...of });
  assert.equal(named("std::vector<int>::push_back(int const&)"), "std");
  assert.equal(named("<alloc::vec::Vec<T> as core::fmt::Debug>::fmt"), "alloc");
  assert.equal(named("net/http.(*conn).serve"), "net/http");
  assert.equal(named("runtime.mallocgc"), "runtime");
  assert.equal(named("read", { binary: "/usr/lib/libc.so.6" }), "libc");
  assert.equal(named("[unknown] libpay.so+0x1", { binary: "/opt/libpay.so" }), "libpay");
  const python = (file: string) => named("f", { kind: "python", file });
  assert.equal(python("/venv/lib/python3.11/site-packages/numpy/linalg/x.py"), "numpy");
  assert.equal(python("/usr/lib/python3.11/json/decoder.py"), "json");
  assert.equal(python("/app/shop/cart.py"), "shop");
  assert.equal(group(frame("swapper", "thread"), "package"), "thread");
});

/** W3C's relative luminance. */
function luminance(colour: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

const contrast = (one: string, other: string): number => {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
};

test("names have AA contrast on every colour, and kinds differ where red and green do not", () => {
  const kinds: Kind[] = ["native", "kernel", "python", "jit", "thread", "marker"];
  for (const [theme, ink] of [
    ["light", "#1a1c22"],
    ["dark", "#f4f5f7"],
  ] as const) {
    const binaries = Array.from({ length: 200 }, (_, i) => frame(`f${i}`, "native", `lib${i}.so`));
    const frames = [...kinds.map((kind) => frame("f", kind)), ...binaries];
    for (const palette of ["usual", "safe"] as const) {
      for (const colouring of ["kind", "binary", "package"] as const) {
        for (const one of frames) {
          const colour = frameColour(one, colouring, theme, palette);
          assert.ok(contrast(colour, ink) >= 4.5, `${colour} on ${theme}`);
        }
      }
    }
    for (const colour of shareColours(theme)) assert.ok(contrast(colour, ink) >= 4.5, colour);
    const safe = kinds
      .slice(0, 4)
      .map((kind) => frameColour(frame("f", kind), "kind", theme, "safe"));
    const blue = (colour: string) => Number.parseInt(colour.slice(5), 16);
    safe.forEach((one, i) => {
      for (const other of safe.slice(i + 1)) {
        const apart = contrast(one, other) >= 1.25 || Math.abs(blue(one) - blue(other)) >= 40;
        assert.ok(apart, `${one} and ${other}`);
      }
    });
  }
});

test("shares rise with their colours", () => {
  const steps = [0, 0.0001, 0.001, 0.01, 0.1, 0.5, 1].map(shareStep);
  assert.deepEqual(
    steps,
    [...steps].sort((a, b) => a - b),
  );
  assert.deepEqual([steps[0], steps.at(-1)], [0, 15]);
});

test("a view is a part of the focus, and its text leads back to it", () => {
  const of = tree("main;run 60", "main;parse 40");
  const whole = spanOf(of, 0, "");
  assert.deepEqual(whole, { from: 0, to: 1000 });
  const near = zoomed(whole, 1 / 4, 400, whole);
  assert.deepEqual(near, { from: 300, to: 550 });
  assert.equal(viewOf(of, 0, near), "0.3-0.55");
  assert.deepEqual(spanOf(of, 0, "0.3-0.55"), near);
  assert.deepEqual(panned(near, 10, whole), { from: 750, to: 1000 });
  assert.equal(viewOf(of, 0, zoomed(near, 9, 400, whole)), "");
  for (const nonsense of ["1", "0.5-0.5", "0.7-0.2", "-1-2", "a-b", "0-2"]) {
    assert.deepEqual(spanOf(of, 0, nonsense), whole);
  }
});
