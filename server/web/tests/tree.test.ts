import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, PayloadError } from "../src/lib/payload";
import { ancestors, step, unsent } from "../src/lib/tree";
import { node, randomTree, tree } from "./folded";

const T = tree("main;parse;read 3", "main;parse 1", "main;run 2");

test("children lie side by side within their parent", () => {
  assert.deepEqual(Array.from(T.total), [60, 60, 40, 30, 20]);
  assert.deepEqual(Array.from(T.start), [0, 0, 0, 0, 40]);
  assert.deepEqual(Array.from(T.end), [5, 5, 4, 4, 5]);
  assert.deepEqual(Array.from(T.parent), [-1, 0, 1, 2, 1]);
});

test("every total is self plus children, and what was not sent is told", () => {
  const big = randomTree(5000);
  for (let at = 0; at < big.count; at++) assert.equal(unsent(big, at), 0);
  const cut = tree("main;run 2", "main;run;[unsent] 5");
  assert.equal(unsent(cut, node(cut, "main;run")), 50);
  assert.equal(unsent(cut, node(cut, "main")), 0);
});

test("steps lead to parent, first child and siblings, and stop at the edge", () => {
  const [main, parse, read, run] = ["main", "main;parse", "main;parse;read", "main;run"].map(
    (path) => node(T, path),
  );
  assert.equal(step(T, parse, "child"), read);
  assert.equal(step(T, parse, "next"), run);
  assert.equal(step(T, run, "previous"), parse);
  assert.equal(step(T, read, "child"), read);
  assert.equal(step(T, run, "next"), run);
  assert.equal(step(T, parse, "previous"), parse);
  assert.equal(step(T, main, "parent"), 0);
  assert.equal(step(T, 0, "parent"), 0);
  assert.equal(step(T, 0, "next"), 0);
  assert.deepEqual(ancestors(T, read), [0, main, parse, read]);
});

const PAYLOAD = {
  version: 1,
  profile_type: "cpu",
  unit: "nanoseconds",
  strings: ["", "main", "main.c"],
  frames: {
    ...{ function: [1], file: [2], line: [7], binary: [0] },
    ...{ build_id: [0], address: ["0x10"], kind: ["native"] },
  },
  nodes: { depth: [0, 1], frame: [-1, 0], self: [0, 9], total: [9, 9], samples: [3, 3] },
  hidden: { nodes: 0 },
  total: { value: 9, samples: 3 },
  incomplete: [],
  accounts: { taken: 3, stored: 3, losses: [] },
  coverage: { hosts: 1, series: 1, profiles: 1, recorded: false },
};

test("an answer is decoded into frames with their strings", () => {
  const { tree: read, samples } = decode(PAYLOAD);
  assert.equal(samples, 3);
  assert.deepEqual(read.frames[0].function, "main");
  assert.deepEqual(read.frames[0].file, "main.c");
  assert.equal(read.count, 2);
});

test("an answer whose columns do not fit is refused with what is wrong", () => {
  const withNodes = (nodes: object) => ({ ...PAYLOAD, nodes: { ...PAYLOAD.nodes, ...nodes } });
  for (const [broken, message] of [
    [null, /version 1, got undefined/],
    [{ ...PAYLOAD, version: 2 }, /version 1, got 2/],
    [withNodes({ depth: [0, 2] }), /nodes.depth\[1\] is 2/],
    [withNodes({ depth: [0, 0] }), /nodes.depth\[1\] is 0/],
    [withNodes({ frame: [-1, 1] }), /nodes.frame\[1\] is 1/],
    [withNodes({ self: [0] }), /columns of nodes differ/],
  ] as const) {
    assert.throws(
      () => decode(broken),
      (error: Error) => error instanceof PayloadError && message.test(error.message),
    );
  }
});
