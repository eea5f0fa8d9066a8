import assert from "node:assert/strict";
import { test } from "node:test";
import { boxAt, emptyBoxes, FRAME, layOut, THIN, UNSENT, type Window } from "../src/lib/layout";
import type { FrameTree } from "../src/lib/tree";
import { node, randomTree, tree } from "./folded";

const whole = (of: FrameTree): Window => ({ from: 0, to: of.total[0], first: 0, last: 1e9 });

function boxesOf(of: FrameTree, window: Partial<Window>, width: number, thin = 1) {
  const boxes = emptyBoxes(1);
  layOut(of, { ...whole(of), ...window }, width, thin, boxes);
  return Array.from({ length: boxes.count }, (_, i) => ({
    node: boxes.node[i],
    until: boxes.until[i],
    depth: boxes.depth[i],
    kind: boxes.kind[i],
    left: boxes.left[i],
    right: boxes.right[i],
  }));
}

test("boxes are as wide as their share, root on top", () => {
  const of = tree("main;parse 3", "main;run 1");
  const boxes = boxesOf(of, {}, 400);
  assert.deepEqual(
    boxes.map(({ depth, left, right }) => [depth, left, right]),
    [
      [0, 0, 400],
      [1, 0, 400],
      [2, 0, 300],
      [2, 300, 400],
    ],
  );
});

test("a row never overlaps, and is as wide as its totals, thin markers included", () => {
  const of = randomTree(20_000);
  const width = 500;
  const boxes = boxesOf(of, {}, width);
  assert.ok(boxes.some(({ kind }) => kind === THIN));
  for (let depth = 0; depth <= of.maxDepth; depth++) {
    const row = boxes.filter((box) => box.depth === depth);
    for (let i = 1; i < row.length; i++) assert.ok(row[i].left >= row[i - 1].right - 1e-9);
    for (const box of row.filter(({ kind }) => kind === FRAME)) {
      assert.ok(Math.abs(box.right - box.left - (of.total[box.node] / of.total[0]) * width) < 1e-6);
    }
  }
});

test("every node is drawn, or stands in a marker, or below one", () => {
  const of = randomTree(20_000);
  const seen = new Uint8Array(of.count);
  for (const box of boxesOf(of, {}, 300)) {
    const until = box.kind === THIN ? box.until : box.node + 1;
    seen.fill(1, box.node, until);
  }
  assert.equal(seen.indexOf(0), -1);
});

test("a marker ends where the next frame that can be drawn begins", () => {
  const of = tree("a 40", "b 30", "c 1", "d 1", "e;f 1", "main 27");
  const boxes = boxesOf(of, {}, 100, 2);
  const marker = boxes.find(({ kind }) => kind === THIN);
  assert.deepEqual([marker?.node, marker?.until], [node(of, "c"), of.count]);
  assert.deepEqual([marker?.left, marker?.right], [97, 100]);
});

test("zooming shows one subtree across the width, under its ancestors", () => {
  const of = tree("main;parse;read 3", "main;run;write 1");
  const run = node(of, "main;run");
  const from = of.start[run];
  const boxes = boxesOf(of, { from, to: from + of.total[run] }, 100);
  assert.deepEqual(
    boxes.map((box) => [box.node, box.left, box.right]),
    [0, node(of, "main"), run, node(of, "main;run;write")].map((at) => [at, 0, 100]),
  );
});

test("rows outside of the window are left out", () => {
  const of = tree("a;b;c;d 1");
  assert.deepEqual(
    boxesOf(of, { first: 2, last: 3 }, 100).map(({ depth }) => depth),
    [2, 3],
  );
});

test("what was not sent stands as a marker behind the children", () => {
  const of = tree("main;parse 3", "main;[unsent] 1");
  const marker = boxesOf(of, {}, 400).find(({ kind }) => kind === UNSENT);
  assert.deepEqual([marker?.node, marker?.depth, marker?.left, marker?.right], [1, 2, 300, 400]);
});

test("a point finds its box, and nothing beside it", () => {
  const of = tree("main;parse 3", "main;run 1");
  const boxes = emptyBoxes();
  layOut(of, whole(of), 400, 1, boxes);
  assert.equal(boxes.node[boxAt(boxes, 350, 2)], node(of, "main;run"));
  assert.equal(boxAt(boxes, 350, 3), -1);
  assert.equal(boxAt(boxes, 400, 2), -1);
});
