import assert from "node:assert/strict";
import { test } from "node:test";
import { Zoom } from "../src/flamegraph/zoom";
import { frameColour, group, oklch } from "../src/lib/colour";
import { count, counted, digits, duration, share, value } from "../src/lib/format";
import { shorten } from "../src/lib/names";
import { type FunctionRow, filterRows, sortRows } from "../src/lib/table";
import { axisLabel, describe } from "../src/lib/time";
import type { Kind } from "../src/lib/tree";
import { frame } from "./folded";

test("a small number keeps two digits", () => {
  const shown = [0, 0.0000123, 0.00031, 0.0099, 0.00999, 0.05, 0.5, 5, 50, 500].map(digits);
  const expected = ["0", "0.000012", "0.00031", "0.0099", "0.010", "0.050", "0.50", "5.00"];
  assert.deepEqual(shown, [...expected, "50.0", "500"]);
});

test("durations have three digits and a unit that fits", () => {
  for (const [ns, text] of [
    [0, "0 s"],
    [999, "999 ns"],
    [1_240, "1.24 µs"],
    [10_101_010, "10.1 ms"],
    [90e9, "90.0 s"],
    [3600e9, "60.0 min"],
    [36_000e9, "10.0 h"],
    [1e15, "11.6 d"],
  ] as const) {
    assert.equal(duration(ns), text);
  }
  assert.equal(value(1500, "count"), "1,500");
  assert.equal(value(1500, "bytes"), "1,500 bytes");
  assert.equal(count(1234567), "1,234,567");
  assert.equal(counted(1, "host"), "1 host");
  assert.equal(counted(2, "series", "series"), "2 series");
});

test("a share never rounds to nothing or to everything", () => {
  assert.equal(share(0, 5), "0%");
  assert.equal(share(1, 1e9), "<0.01%");
  assert.equal(share(421, 1000), "42.1%");
  assert.equal(share(1, 20), "5.00%");
  assert.equal(share(99_999, 100_000), ">99.99%");
  assert.equal(share(5, 5), "100%");
  assert.equal(share(1, 0), "0%");
});

test("names give up their arguments, then their namespace, then their end", () => {
  const name = "std::vector<int, std::allocator<int> >::push_back(int const&)";
  assert.equal(shorten(name, 80), name);
  assert.equal(shorten(name, 30), "std::vector::push_back");
  assert.equal(shorten(name, 12), "push_back");
  assert.equal(shorten(name, 6), "push_…");
  assert.equal(shorten(name, 2), "");
  assert.equal(shorten("v8::(anonymous namespace)::Invoke(Isolate*)", 20), "v8::Invoke");
  assert.equal(shorten("<module>", 5), "<mod…");
  assert.equal(shorten("_PyEval_EvalFrameDefault", 10), "_PyEval_E…");
});

test("equal names have equal colours, kinds have hues of their own", () => {
  assert.equal(frameColour(frame("a"), "kind", "light"), frameColour(frame("a"), "kind", "light"));
  const kinds: Kind[] = ["native", "kernel", "python", "jit", "thread", "marker"];
  assert.equal(new Set(kinds.map((k) => frameColour(frame("a", k), "kind", "dark"))).size, 6);
  assert.equal(group(frame("a", "native", "/usr/lib/libc.so.6"), "binary"), "libc.so.6");
  assert.equal(group(frame("[unknown] x+0x1"), "kind"), "unknown");
});

test("text on every colour has AA contrast", () => {
  const ink = { light: "#1a1c22", dark: "#f4f5f7" } as const;
  for (const theme of ["light", "dark"] as const) {
    for (let i = 0; i < 400; i++) {
      const kind = (["native", "kernel", "python", "jit", "thread"] as const)[i % 5];
      const f = frame(`f${i}`, kind, `lib${i}.so`);
      for (const colouring of ["kind", "binary"] as const) {
        const ratio = contrast(ink[theme], frameColour(f, colouring, theme));
        assert.ok(ratio >= 4.5, `${theme} ${colouring} ${kind}: ${ratio}`);
      }
    }
  }
});

test("OKLCH ends are black and white", () => {
  assert.equal(oklch(0, 0, 0), "#000000");
  assert.equal(oklch(1, 0, 0), "#ffffff");
});

function contrast(a: string, b: string): number {
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour: string): number {
  const [r, g, b] = [1, 3, 5]
    .map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

const row = (name: string, self: number, total: number): FunctionRow => ({
  ...{ function: name, file: "", binary: "/usr/bin/app", kind: "native", self, total },
  ...{ self_samples: 0, total_samples: 0 },
});

test("rows sort by each column, equal ones by the other cost, then by name", () => {
  const rows = [row("b", 1, 9), row("a", 1, 5), row("c", 3, 3), row("A", 1, 5)];
  const names = (sorted: FunctionRow[]) => sorted.map((r) => r.function).join("");
  assert.equal(names(sortRows(rows, { sort: "self", descending: true })), "cbAa");
  assert.equal(names(sortRows(rows, { sort: "total", descending: true })), "bAac");
  assert.equal(names(sortRows(rows, { sort: "total", descending: false })), "cAab");
  assert.equal(names(sortRows(rows, { sort: "name", descending: false })), "Aabc");
  assert.equal(names(sortRows(rows, { sort: "name", descending: true })), "cbaA");
});

test("rows are filtered by name and binary", () => {
  const rows = [row("Parse", 1, 1), row("run", 1, 1)];
  assert.equal(filterRows(rows, "parse").length, 1);
  assert.equal(filterRows(rows, "bin/app").length, 2);
  assert.equal(filterRows(rows, " ").length, 2);
});

test("a range is described as people say it, in the zone of the browser", () => {
  process.env.TZ = "UTC";
  const [from, to] = [Date.UTC(2026, 0, 31, 10, 5), Date.UTC(2026, 0, 31, 10, 20)];
  assert.equal(describe("now-15m", "now", null), "Last 15m");
  assert.equal(describe("now-2h", "now-1h", { from, to }), "now-2h – now-1h");
  assert.equal(describe(String(from), String(to), { from, to }), "31 Jan 10:05 – 10:20");
  const overnight = { from, to: to + 86_400_000 };
  assert.equal(describe("x", "y", overnight), "31 Jan 10:05 – 1 Feb 10:20");
  assert.equal(describe("x", "y", { from, to: from + 9000 }), "31 Jan 10:05:00 – 10:05:09");
});

test("ticks show seconds on short axes, and the day at midnight", () => {
  process.env.TZ = "UTC";
  const noon = Date.UTC(2026, 0, 31, 12);
  assert.equal(axisLabel(noon, { from: noon, to: noon + 3_600_000 }), "12:00");
  assert.equal(axisLabel(noon + 5000, { from: noon, to: noon + 60_000 }), "12:00:05");
  assert.equal(axisLabel(noon + 43_200_000, { from: noon, to: noon + 86_400_000 }), "1 Feb");
});

test("a zoom goes from where it is to its goal, and rests there", () => {
  const zoom = new Zoom();
  zoom.jump({ from: 0, to: 100 });
  zoom.go({ from: 50, to: 60 }, 1000);
  assert.deepEqual(zoom.at(1000), { from: 0, to: 100 });
  const middle = zoom.at(1060);
  assert.ok(middle.from > 0 && middle.from < 50 && middle.to > 60 && middle.to < 100);
  zoom.go({ from: 0, to: 100 }, 1060);
  assert.deepEqual(zoom.at(1060), middle);
  assert.equal(zoom.moving(2000), false);
  assert.deepEqual(zoom.at(2000), { from: 0, to: 100 });
});
