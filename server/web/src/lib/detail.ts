/**
 * What was not sent at first, asked for when it can be seen: the server sends the largest nodes of a
 * subtree, and these take the place of what was known of it.
 */

import { findPath, identity, pathName } from "./path";
import { buildTree, type FrameTree, unsent } from "./tree";

/** A part of a flamegraph's width, as values [from, to). */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** A subtree to ask for, and of how many nodes. */
export interface Wanted {
  readonly node: number;
  readonly nodes: number;
}

/** As many as the server sends unless told otherwise: a screenful. */
export const USUAL_NODES = 20_000;
const MOST_NODES = 1_000_000;
/** Across the widest screens, a narrower gap is no pixel wide. */
const PIXELS = 4096;

/** What to ask for where `span` has the whole width below the node `focus`; null: nothing lacks. */
export function wanted(tree: FrameTree, focus: number, span: Span): Wanted | null {
  const width = span.to - span.from;
  const node = covering(tree, focus, span);
  if (!lacks(tree, node, span, width / PIXELS)) return null;
  const times = 2 ** Math.ceil(Math.log2(Math.max(1, tree.total[node] / width)) - 1e-9);
  return { node, nodes: Math.min(MOST_NODES, USUAL_NODES * times) };
}

/** The deepest node from `focus` down that has all of `span`, or the one above it of the same width. */
function covering(tree: FrameTree, focus: number, { from, to }: Span): number {
  let found = focus;
  let widest = focus;
  for (let at = focus + 1; at < tree.end[found]; ) {
    const right = tree.start[at] + tree.total[at];
    if (tree.start[at] <= from && to <= right) {
      if (tree.total[at] < tree.total[found]) widest = at;
      found = at++;
    } else at = tree.end[at];
  }
  return widest;
}

/** Whether a gap of at least `least` stands below `node` and within `span`. */
function lacks(tree: FrameTree, node: number, { from, to }: Span, least: number): boolean {
  for (let at = node; at < tree.end[node]; ) {
    const left = tree.start[at];
    if (tree.total[at] < least || left + tree.total[at] <= from || left >= to) at = tree.end[at];
    else if (unsent(tree, at) >= least) return true;
    else at++;
  }
  return false;
}

/**
 * `tree` with the subtree of the node `from` of `detail`, which is a tree of that subtree and of the way
 * to it. Where `tree` has no such node, all of the way that it lacks becomes the last child.
 */
export function graft(tree: FrameTree, detail: FrameTree, from: number): FrameTree {
  let top = from;
  let known = findPath(tree, pathName(detail, top));
  if (known >= 0) return spliced(tree, known, tree.end[known], detail, top);
  do {
    known = findPath(tree, pathName(detail, detail.parent[top]));
    if (known < 0) top = detail.parent[top];
  } while (known < 0);
  return spliced(tree, tree.end[known], tree.end[known], detail, top);
}

/** `tree` with the subtree `top` of `detail` instead of its nodes [from, to). */
function spliced(tree: FrameTree, from: number, to: number, detail: FrameTree, top: number) {
  const { frames, moved } = together(tree, detail);
  const splice = <C extends Int32Array | Float64Array>(column: C, other: C): C => {
    const inner = other.subarray(top, detail.end[top]);
    const size = from + inner.length + column.length - to;
    const made = new (column.constructor as new (size: number) => C)(size);
    made.set(column.subarray(0, from));
    made.set(inner, from);
    made.set(column.subarray(to), from + inner.length);
    return made;
  };
  return buildTree(frames, {
    depth: splice(tree.depth, detail.depth),
    frame: splice(tree.frame, moved),
    self: splice(tree.self, detail.self),
    total: splice(tree.total, detail.total),
    samples: splice(tree.samples, detail.samples),
  });
}

/** The frames of both, and the column `frame` of `detail` by their numbers. */
function together(tree: FrameTree, detail: FrameTree) {
  const frames = [...tree.frames];
  const numbers = new Map(frames.map((frame, number) => [identity(frame), number]));
  const number = detail.frames.map((frame) => {
    const known = numbers.get(identity(frame));
    return known ?? frames.push(frame) - 1;
  });
  return { frames, moved: detail.frame.map((frame) => (frame < 0 ? frame : number[frame])) };
}
