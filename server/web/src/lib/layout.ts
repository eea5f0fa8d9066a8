/**
 * Which boxes a window of the tree shows, in pixels: the one answer that canvas, SVG and hit test
 * share.
 *
 * The work grows with what can be seen, not with the tree: subtrees beside the window and below
 * a pixel are jumped over, so a million nodes cost no more than a screenful. What is too thin to
 * draw becomes one marker where it stands, with the width of the whole run.
 */

import type { FrameTree } from "./tree";

/** Part of the tree: values [from, to) across, depths [first, last] down. */
export interface Window {
  readonly from: number;
  readonly to: number;
  readonly first: number;
  readonly last: number;
}

export const FRAME = 0;
/** A run of neighbours too thin to draw: nodes [node, until) and all below them. */
export const THIN = 1;
/** What the server did not send below `node`. */
export const UNSENT = 2;

/** Columns, one entry a box. Reused from frame to frame; only the first `count` are valid. */
export interface Boxes {
  count: number;
  node: Int32Array;
  /** THIN: one past the last node of the run; else node + 1 */
  until: Int32Array;
  depth: Int32Array;
  kind: Uint8Array;
  /** pixels from the left of the window, clipped to it */
  left: Float64Array;
  right: Float64Array;
}

export function emptyBoxes(capacity = 4096): Boxes {
  return {
    count: 0,
    node: new Int32Array(capacity),
    until: new Int32Array(capacity),
    depth: new Int32Array(capacity),
    kind: new Uint8Array(capacity),
    left: new Float64Array(capacity),
    right: new Float64Array(capacity),
  };
}

/** Fills `boxes` with what `window` shows on `width` pixels; below `thin` pixels is a marker. */
export function layOut(
  tree: FrameTree,
  window: Window,
  width: number,
  thin: number,
  boxes: Boxes,
): void {
  const { depth, end, start, total, parent, self, children } = tree;
  const scale = width / (window.to - window.from);
  const x = (value: number) => (value - window.from) * scale;
  boxes.count = 0;
  let node = 0;
  while (node < tree.count) {
    const left = x(start[node]);
    const right = x(start[node] + total[node]);
    if (left >= width && node > 0) {
      node = end[parent[node]];
    } else if (right <= 0 || depth[node] > window.last) {
      node = end[node];
    } else if (right - left < thin && node > 0) {
      const until = endOfThinRun(tree, node, thin / scale);
      if (depth[node] >= window.first) {
        const up = parent[node];
        const edge = until === end[up] ? start[up] + children[up] : start[until];
        push(boxes, node, until, depth[node], THIN, Math.max(left, 0), Math.min(x(edge), width));
      }
      node = until;
    } else {
      if (depth[node] >= window.first) {
        push(boxes, node, node + 1, depth[node], FRAME, Math.max(left, 0), Math.min(right, width));
      }
      const below = start[node] + children[node];
      const lack = total[node] - self[node] - children[node];
      if (lack > 0 && depth[node] < window.last && x(below) < width && x(below + lack) > 0) {
        const from = Math.max(x(below), 0);
        push(
          boxes,
          node,
          node + 1,
          depth[node] + 1,
          UNSENT,
          from,
          Math.min(x(below + lack), width),
        );
      }
      node++;
    }
  }
}

/** One past the last of the siblings from `node` on whose totals are below `limit`. */
function endOfThinRun(tree: FrameTree, node: number, limit: number): number {
  const last = tree.end[tree.parent[node]];
  if (tree.falling[tree.parent[node]]) return last; // those behind it are no larger
  let at = node;
  while (at < last && tree.total[at] < limit) at = tree.end[at];
  return at;
}

function push(
  boxes: Boxes,
  node: number,
  until: number,
  depth: number,
  kind: number,
  left: number,
  right: number,
): void {
  if (boxes.count === boxes.node.length) grow(boxes);
  const i = boxes.count++;
  boxes.node[i] = node;
  boxes.until[i] = until;
  boxes.depth[i] = depth;
  boxes.kind[i] = kind;
  boxes.left[i] = left;
  boxes.right[i] = right;
}

function grow(boxes: Boxes): void {
  const bigger = emptyBoxes(boxes.node.length * 2);
  for (const column of ["node", "until", "depth", "kind", "left", "right"] as const) {
    bigger[column].set(boxes[column]);
  }
  Object.assign(boxes, bigger, { count: boxes.count });
}

/** The box under a point, or -1. Later boxes lie on top. */
export function boxAt(boxes: Boxes, x: number, depth: number): number {
  for (let i = boxes.count - 1; i >= 0; i--) {
    if (boxes.depth[i] === depth && boxes.left[i] <= x && x < boxes.right[i]) return i;
  }
  return -1;
}
