/**
 * A merged profile as a tree in columns: what the layout, the search and the canvas work on.
 *
 * Nodes stand in preorder, so that a subtree is the run [node, end[node]) and a question about a
 * whole subtree is a loop without recursion:
 *
 *     total   7 ─ main        depth 0 1 2 2      end   4 4 3 4
 *                 ├ parse 4   total 7 7 4 2      start 0 0 0 4
 *                 └ run   2   self  0 1 0 0
 */

export type Kind = "native" | "kernel" | "python" | "jit" | "thread" | "marker";

export interface Frame {
  readonly function: string;
  readonly file: string;
  /** 0: not known */
  readonly line: number;
  readonly binary: string;
  readonly buildId: string;
  readonly address: string;
  readonly kind: Kind;
}

export const ROOT = 0;
const NO_PARENT = -1;

export interface FrameTree {
  readonly count: number;
  readonly frames: readonly Frame[];
  /** index into `frames`, -1 at the root */
  readonly frame: Int32Array;
  readonly depth: Int32Array;
  readonly maxDepth: number;
  /** -1 at the root */
  readonly parent: Int32Array;
  /** one past the last node of the subtree */
  readonly end: Int32Array;
  /** left edge, in the unit of the values: children lie side by side from their parent's left */
  readonly start: Float64Array;
  readonly self: Float64Array;
  readonly total: Float64Array;
  /** total, counted in samples */
  readonly samples: Float64Array;
  /** sum of the totals of the children; what lacks to total - self was not sent */
  readonly children: Float64Array;
  /** 1 where no child is larger than the one before it */
  readonly falling: Uint8Array;
  /** whether nothing was left unsent */
  readonly whole: boolean;
}

export interface NodeColumns {
  readonly depth: ArrayLike<number>;
  readonly frame: ArrayLike<number>;
  readonly total: ArrayLike<number>;
  readonly samples: ArrayLike<number>;
  /** one of the two: what a total has of its own, or what stands below it and was not sent */
  readonly self?: ArrayLike<number>;
  readonly unsent?: ArrayLike<number>;
}

/** Lays out nodes in preorder. Depths must begin with 0 and grow by at most 1 a node. */
export function buildTree(frames: readonly Frame[], nodes: NodeColumns): FrameTree {
  const count = nodes.depth.length;
  const depth = integers(nodes.depth);
  const total = numbers(nodes.total);
  const maxDepth = depth.reduce((most, level) => (level > most ? level : most), 0);
  const parent = new Int32Array(count).fill(NO_PARENT);
  const end = new Int32Array(count).fill(count);
  const start = new Float64Array(count);
  const children = new Float64Array(count);
  const falling = new Uint8Array(count).fill(1);
  // The path to the node before this one, and the last child of each of its nodes. A typed array:
  // setting the length of a list a million times takes half a second.
  const open = new Int32Array(maxDepth + 1);
  const smallest = new Float64Array(maxDepth + 2);
  let height = 0;
  for (let node = 0; node < count; node++) {
    const level = depth[node];
    for (let above = level; above < height; above++) end[open[above]] = node;
    if (level > 0) {
      const up = open[level - 1];
      parent[node] = up;
      start[node] = start[up] + children[up];
      children[up] += total[node];
      if (total[node] > smallest[level]) falling[up] = 0;
      smallest[level] = total[node];
    }
    smallest[level + 1] = Number.POSITIVE_INFINITY;
    open[level] = node;
    height = level + 1;
  }
  const self = nodes.self ? numbers(nodes.self) : selves(total, children, nodes.unsent);
  return {
    ...{ count, frames, depth, maxDepth, parent, end, start, total, children, falling, self },
    frame: integers(nodes.frame),
    samples: numbers(nodes.samples),
    whole: total.every((value, node) => value <= self[node] + children[node]),
  };
}

// What is a column already stays the one it is.
const integers = (column: ArrayLike<number>): Int32Array =>
  column instanceof Int32Array ? column : Int32Array.from(column);
const numbers = (column: ArrayLike<number>): Float64Array =>
  column instanceof Float64Array ? column : Float64Array.from(column);

function selves(
  total: Float64Array,
  children: Float64Array,
  unsent: ArrayLike<number> = new Float64Array(total.length),
): Float64Array {
  const self = new Float64Array(total.length);
  for (let node = 0; node < self.length; node++) {
    self[node] = total[node] - children[node] - unsent[node];
  }
  return self;
}

export function frameOf(tree: FrameTree, node: number): Frame | null {
  return tree.frames[tree.frame[node]] ?? null;
}

/** The nodes from the root to `node`, both included. */
export function ancestors(tree: FrameTree, node: number): number[] {
  const path: number[] = [];
  for (let at = node; at !== NO_PARENT; at = tree.parent[at]) path.push(at);
  return path.reverse();
}

/** What stands below `node` but was not sent: less than a pixel wide on any screen. */
export function unsent(tree: FrameTree, node: number): number {
  return Math.max(0, tree.total[node] - tree.self[node] - tree.children[node]);
}

export type Step = "parent" | "child" | "previous" | "next";

/** The node one step from `node`, or `node` itself where there is none. */
export function step(tree: FrameTree, node: number, to: Step): number {
  const parent = tree.parent[node];
  if (to === "parent") return Math.max(parent, ROOT);
  if (to === "child") return tree.end[node] > node + 1 ? node + 1 : node;
  if (parent === NO_PARENT) return node;
  if (to === "next") return tree.end[node] < tree.end[parent] ? tree.end[node] : node;
  let before = parent + 1;
  if (before === node) return node;
  while (tree.end[before] !== node) before = tree.end[before];
  return before;
}
