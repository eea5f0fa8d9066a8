/** The same tree with siblings by name, so that two profiles of one program look alike. */

import { buildTree, type FrameTree } from "./tree";

export const ORDERS = ["size", "name"] as const;
export type Order = (typeof ORDERS)[number];

/** The server sends the largest first. */
export const ordered = (tree: FrameTree, order: Order): FrameTree =>
  order === "name" ? alphabetical(tree) : tree;

function alphabetical(tree: FrameTree): FrameTree {
  const from = preorder(tree, ranks(tree));
  const numbers = (column: Float64Array) => Float64Array.from(from, (node) => column[node]);
  const integers = (column: Int32Array) => Int32Array.from(from, (node) => column[node]);
  return buildTree(tree.frames, {
    depth: integers(tree.depth),
    frame: integers(tree.frame),
    self: numbers(tree.self),
    total: numbers(tree.total),
    samples: numbers(tree.samples),
  });
}

/** The place of each frame's name among all. */
function ranks({ frames }: FrameTree): Int32Array {
  const place = new Int32Array(frames.length);
  const names = frames.map((frame) => frame.function);
  const sorted = names.map((_, frame) => frame);
  sorted.sort((a, b) => (names[a] < names[b] ? -1 : names[a] > names[b] ? 1 : a - b));
  sorted.forEach((frame, at) => {
    place[frame] = at;
  });
  return place;
}

/** The nodes in their new order. */
function preorder(tree: FrameTree, rank: Int32Array): Int32Array {
  const order = new Int32Array(tree.count);
  const open = [0];
  for (let at = 0; open.length > 0; at++) {
    const node = open.pop() as number;
    order[at] = node;
    const children = [];
    for (let child = node + 1; child < tree.end[node]; child = tree.end[child]) {
      children.push(child);
    }
    children.sort((a, b) => rank[tree.frame[b]] - rank[tree.frame[a]]);
    for (const child of children) open.push(child);
  }
  return order;
}
