import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { graft, wanted } from "../src/lib/detail";
import { findPath, pathName } from "../src/lib/path";
import { decode, decodePacked } from "../src/lib/payload";
import type { FrameTree } from "../src/lib/tree";
import { node, randomTree, tree } from "./folded";

const golden = (name: string) => readFileSync(`../../tests/server/api/goldens/${name}`);
const json = (name: string) => decode(JSON.parse(golden(name).toString()));

/** As tests/server/api/test_answers.py asked for it. */
const RECURSE = "0zhlh020md9fdo";

test("the packed form says what the JSON says", () => {
  assert.deepEqual(decodePacked(golden("flamegraph.packed")), json("flamegraph.json"));
});

test("the server and the page name a path alike", () => {
  const { tree, zoom } = json("flamegraph-zoom.json");
  assert.equal(tree.frames[tree.frame[zoom]].function, "recurse");
  assert.equal(pathName(tree, zoom), RECURSE);
  assert.equal(json("flamegraph-zoom-nowhere.json").zoom, -1);
});

/** Each path with its sums, and the places of its box. */
const drawn = (of: FrameTree) =>
  Array.from({ length: of.count }, (_, at) =>
    [pathName(of, at), of.start[at], of.total[at], of.self[at], of.samples[at]].join(" "),
  );

test("a subtree that was asked for takes the place of what was known of it", () => {
  const known = tree("main;run 1", "main;run;[unsent] 5", "main;parse 4", "idle 2");
  const detail = tree("main;run 1", "main;run;write 3", "main;run;read 2", "main;[unsent] 4");
  const grown = graft(known, detail, node(detail, "main;run"));
  const whole = tree("main;run 1", "main;run;write 3", "main;run;read 2", "main;parse 4", "idle 2");
  assert.deepEqual(drawn(grown), drawn(whole));
  assert.equal(new Set(grown.frames.map((frame) => frame.function)).size, grown.frames.length);
});

test("a way that was not known becomes the last child, and what is known stays where it was", () => {
  const known = tree("main;run 9", "main;[unsent] 2", "idle 2");
  const detail = tree("main;[unsent] 9", "main;load;open 2");
  const grown = graft(known, detail, node(detail, "main;load;open"));
  assert.deepEqual(drawn(grown), drawn(tree("main;run 9", "main;load;open 2", "idle 2")));
  assert.equal(findPath(grown, pathName(detail, 3)), node(grown, "main;load;open"));
});

test("what lacks is asked for where it can be seen, of as many nodes as the zoom wants", () => {
  const of = tree("main;run 60", "main;run;[unsent] 20", "main;parse 20");
  const [run, parse] = ["main;run", "main;parse"].map((path) => node(of, path));
  const all = { from: 0, to: 1000 };
  assert.deepEqual(wanted(of, 0, all), { node: 0, nodes: 20_000 });
  assert.deepEqual(wanted(of, run, { from: 0, to: 800 }), { node: run, nodes: 20_000 });
  assert.deepEqual(wanted(of, 0, { from: 300, to: 500 }), { node: run, nodes: 80_000 });
  assert.equal(wanted(of, parse, { from: 800, to: 1000 }), null);
  assert.equal(wanted(of, 0, { from: 850, to: 950 }), null);
  assert.equal(wanted(randomTree(5000), 0, { from: 0, to: 1e9 }), null);
});
