import assert from "node:assert/strict";
import { test } from "node:test";
import {
  compile,
  exactly,
  find,
  foundWithin,
  matched,
  type Search,
  SearchError,
  valuesOf,
} from "../src/lib/search";
import { ancestors, type Frame, type FrameTree } from "../src/lib/tree";
import { frame, node, randomTree, tree } from "./folded";

const found = (of: FrameTree, text: string) => {
  const search = compile(text) as Search;
  return find(of, matched(valuesOf(of.frames, search), search.matches));
};

const fits = (text: string, frame: Frame): boolean => {
  const search = compile(text) as Search;
  return matched(valuesOf([frame], search), search.matches)[0] === 1;
};

/** The definition: every stack with a match somewhere in it, counted once. */
function bruteForce(of: FrameTree, matches: (name: string) => boolean): number {
  let value = 0;
  for (let at = 1; at < of.count; at++) {
    const names = ancestors(of, at)
      .slice(1)
      .map((up) => of.frames[of.frame[up]].function);
    if (names.some(matches)) value += of.self[at];
  }
  return value;
}

test("nested matches count once", () => {
  const of = tree("main;poll;poll;read 3", "main;poll 1", "main;run 6");
  const { value, samples, nodes } = found(of, "poll");
  assert.deepEqual([value, samples, nodes], [40, 4, 2]);
});

test("the share is that of a brute force over all stacks", () => {
  for (const seed of [1, 2, 3]) {
    const of = randomTree(3000, seed);
    assert.equal(
      found(of, "f3").value,
      bruteForce(of, (name) => name.includes("f3")),
    );
    assert.equal(
      found(of, "/^f[12]$/").value,
      bruteForce(of, (name) => /^f[12]$/.test(name)),
    );
    assert.equal(
      found(of, '"f7"').value,
      bruteForce(of, (name) => name === "f7"),
    );
  }
});

test("what was not sent may hold more, except below a match", () => {
  const of = tree("main;poll 3", "main;run 1", "main;run;[unsent] 5", "main;poll;[unsent] 7");
  assert.equal(found(of, "poll").unsearched, 50);
  assert.equal(found(of, "main").unsearched, 0);
});

test("text is searched in any case, a regular expression as it is written", () => {
  const f = frame("Poll_Once");
  assert.equal(fits("poll", f), true);
  assert.equal(fits("/poll/", f), false);
  assert.equal(fits("/poll/i", f), true);
  assert.equal(fits("[unknown]", frame("[unknown] libc.so+0x1")), true);
});

test("a field can be named, and a Rust path is no field", () => {
  assert.equal(fits("kind:kernel", frame("x", "kernel")), true);
  assert.equal(fits("kind:kernel", frame("kernel", "native")), false);
  assert.equal(fits("binary:/libc\\.so/", frame("x", "native", "/lib/libc.so.6")), true);
  assert.equal(fits("file::open", frame("std::file::open")), true);
});

test("the exact name finds only itself", () => {
  const name = exactly("operator/ (a)");
  assert.equal(fits(name, frame("operator/ (a)")), true);
  assert.equal(fits(name, frame("operator/ (a) const")), false);
});

test("nothing is no search, and a broken expression says so", () => {
  assert.equal(compile("  "), null);
  assert.equal(compile("kind:"), null);
  assert.throws(() => compile("/(/"), SearchError);
});

test("matches within a run of nodes are told", () => {
  const of = tree("main;poll;read 3", "main;run 1");
  const result = found(of, "read");
  assert.equal(foundWithin(result, 0, of.count), true);
  assert.equal(foundWithin(result, node(of, "main;run"), of.count), false);
});
