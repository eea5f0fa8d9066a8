import assert from "node:assert/strict";
import { test } from "node:test";
import { findPath, pathName } from "../src/lib/path";
import { format, parse, usual, withMatcher, withoutMatcher } from "../src/lib/selector";
import { lastOf, parseRange, parseTime, TimeError, toText } from "../src/lib/time";
import { DEFAULTS, type PageState, read, stateWith, write } from "../src/lib/url";
import { node, randomTree, tree } from "./folded";

const NOW = Date.UTC(2026, 0, 31, 12);

test("the overview needs no URL, the explorer says what it shows", () => {
  assert.equal(write(DEFAULTS), "");
  assert.deepEqual(read(""), DEFAULTS);
  assert.equal(write(stateWith({ query: "cpu" })), "?query=cpu");
  assert.deepEqual(read("?query=cpu"), stateWith({ query: "cpu" }));
});

test("a link without a query is to the explorer when it says what only that has", () => {
  assert.deepEqual(read("?tab=table"), stateWith({ query: "cpu", tab: "table" }));
  assert.deepEqual(read("?from=now-6h&live=1"), stateWith({ from: "now-6h", live: true }));
});

test("every part of the state survives the URL", () => {
  const state: PageState = {
    query: 'cpu{service_name=~"a b&c=d.*",x!="é\\"\n"}',
    from: "2026-01-31T12:00:00Z",
    to: "now-5m",
    live: true,
    by: "k8s_pod_name",
    stack: false,
    tab: "table",
    orientation: "flame",
    colour: "binary",
    palette: "safe",
    order: "name",
    focus: "^main$",
    hide: "binary:libc",
    fold: "tokio|std::",
    threads: "merge",
    recursion: "collapse",
    group: "label:host_name",
    view: "0.25-0.5",
    zoom: "00000000000001",
    search: "/^std::.*<T>+$/",
    sort: "name",
    descending: false,
    filter: "100% #1?",
    side: "frame",
    function: "operator<<(std::ostream&)",
    file: "/src/a b.cc",
    binary: "/usr/bin/é",
    at: "00000000000002",
    label: "pod",
    against: 'cpu{x="y"}',
    since: "now-2d",
    until: "now-1d",
    per: "cores",
  };
  assert.deepEqual(read(write(state)), state);
  for (const name of Object.keys(state) as (keyof PageState)[]) {
    assert.notEqual(state[name], DEFAULTS[name]);
    const one = stateWith({ query: "off_cpu", [name]: state[name] });
    assert.deepEqual(read(write(one)), one);
  }
});

test("what a URL cannot mean is the default", () => {
  assert.deepEqual(read("?tab=pie&sort=hue&orientation=&unknown=1"), stateWith({ query: "cpu" }));
});

test("a path's name finds its node again, in a tree that has grown too", () => {
  const small = tree("main;run 1", "main;parse 3");
  const grown = tree("idle 9", "main;run;write 6", "main;parse 3");
  const name = pathName(small, node(small, "main;run"));
  assert.equal(findPath(small, name), node(small, "main;run"));
  assert.equal(findPath(grown, name), node(grown, "main;run"));
  assert.equal(findPath(tree("run;main 1"), name), -1);
  assert.equal(findPath(small, ""), 0);
  assert.equal(findPath(small, "nonsense"), -1);
});

test("no two nodes of a large tree share a name", () => {
  const of = randomTree(2000);
  const names = Array.from({ length: of.count }, (_, at) => pathName(of, at));
  assert.equal(new Set(names).size, of.count);
  assert.equal(findPath(of, names[1234]), 1234);
});

test("a selector is read and written back", () => {
  for (const text of [
    "cpu",
    'cpu{host_name="a"}',
    'cpu{host_name="a",service_name=~"check.*",x!="",y!~"a|b"}',
    'cpu{path="C:\\\\tmp \\"x\\"\\n"}',
  ]) {
    const selector = parse(text);
    assert.ok(selector);
    assert.equal(format(selector), text);
  }
  assert.deepEqual(parse(' cpu { a = "b" , } ')?.matchers, [{ name: "a", op: "=", value: "b" }]);
  assert.deepEqual(parse("cpu{a=`1\\.4`,b='it\\'s'}")?.matchers, [
    { name: "a", op: "=", value: "1\\.4" },
    { name: "b", op: "=", value: "it's" },
  ]);
  assert.deepEqual(parse("cpu{}"), { type: "cpu", matchers: [] });
});

test("what is not a selector is left to the server", () => {
  for (const text of [
    "",
    "cpu{",
    'cpu{a="b}',
    "cpu{a=b}",
    'cpu{a="b"} x',
    'cpu{a="\\x41"}',
    "{}",
  ]) {
    assert.equal(parse(text), null, text);
  }
});

test("matchers are added and taken away without touching the others", () => {
  const selector = { type: "cpu", matchers: [{ name: "a", op: "=", value: "1" } as const] };
  const more = withMatcher(selector, { name: "b", op: "!=", value: "2" });
  assert.equal(format(more), 'cpu{a="1",b!="2"}');
  assert.equal(format(withoutMatcher(more, 0)), 'cpu{b!="2"}');
});

test("times are read as the server reads them", () => {
  assert.equal(parseTime("now", NOW), NOW);
  assert.equal(parseTime("now-15m", NOW), NOW - 900_000);
  assert.equal(parseTime("now-1h30m", NOW), NOW - 5_400_000);
  assert.equal(parseTime("now-2w", NOW), NOW - 14 * 86_400_000);
  assert.equal(parseTime("2026-01-31T12:00:00Z", 0), NOW);
  assert.equal(parseTime("2026-01-31T13:00:00+01:00", 0), NOW);
  assert.equal(parseTime(String(NOW / 1000), 0), NOW);
  assert.equal(parseTime(String(NOW), 0), NOW);
  for (const text of ["", "yesterday", "now-5", "now-5y", "2026-13-01"]) {
    assert.throws(() => parseTime(text, NOW), TimeError, text);
  }
});

test("a range ends after it begins", () => {
  assert.deepEqual(parseRange("now-1h", "now", NOW), { from: NOW - 3_600_000, to: NOW });
  assert.throws(() => parseRange("now", "now-1h", NOW), TimeError);
});

test("a fixed range becomes the latest of the same length", () => {
  assert.equal(lastOf({ from: 0, to: 900_000 }), "now-15m");
  assert.equal(lastOf({ from: 0, to: 7_200_000 }), "now-2h");
  assert.equal(lastOf({ from: 0, to: 90_000 }), "now-90s");
  assert.equal(toText(NOW), "2026-01-31T12:00:00Z");
});

test("a closer look is at the usual samples of what a session was of", () => {
  const session = parse('cpu_on_demand{host_name="a",profiler_session="9f86d081884c7d65"}');
  assert.ok(session);
  assert.equal(format(usual(session)), 'cpu{host_name="a"}');
});
