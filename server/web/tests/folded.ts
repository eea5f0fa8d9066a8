/** Trees from folded text, so that expected numbers can be read off the test. */

import { buildTree, type Frame, type FrameTree, type Kind } from "../src/lib/tree";

interface Grown {
  name: string;
  self: number;
  children: Map<string, Grown>;
}

const grown = (name: string): Grown => ({ name, self: 0, children: new Map() });
const total = (node: Grown): number =>
  [...node.children.values()].reduce((sum, child) => sum + total(child), node.self);

const UNSENT = "[unsent]";

/** `tree("main;parse 3", "main;[unsent] 4")`: a sample is worth 10, [unsent] is cut off. */
export function tree(...lines: string[]): FrameTree {
  const root = grown("");
  for (const line of lines) {
    const [stack, samples] = [line.slice(0, line.lastIndexOf(" ")), line.split(" ").pop()];
    let at = root;
    for (const name of stack.split(";")) {
      if (!at.children.has(name)) at.children.set(name, grown(name));
      at = at.children.get(name) as Grown;
    }
    at.self += Number(samples);
  }
  return columns(root);
}

export const frame = (name: string, kind: Kind = "native", binary = ""): Frame => ({
  ...{ function: name, file: "", line: 0, binary, buildId: "", address: "0x0", kind },
});

function columns(root: Grown): FrameTree {
  const names: string[] = [];
  const nodes = {
    depth: [] as number[],
    frame: [] as number[],
    self: [] as number[],
    total: [] as number[],
    samples: [] as number[],
  };
  const visit = (node: Grown, depth: number): void => {
    if (depth > 0 && !names.includes(node.name)) names.push(node.name);
    nodes.depth.push(depth);
    nodes.frame.push(names.indexOf(node.name));
    nodes.self.push(node.self * 10);
    nodes.total.push(total(node) * 10);
    nodes.samples.push(total(node));
    const sent = [...node.children.values()].filter(({ name }) => name !== UNSENT);
    const below = sent.sort((a, b) => total(b) - total(a));
    for (const child of below) visit(child, depth + 1);
  };
  visit(root, 0);
  return buildTree(
    names.map((name) => frame(name)),
    nodes,
  );
}

/** A random tree of at least `count` nodes, the same for the same seed. */
export function randomTree(count: number, seed = 1): FrameTree {
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const root = grown("");
  for (let nodes = 1; nodes < count; ) {
    let at = root;
    for (let depth = 1 + random(12); depth > 0; depth--) {
      const name = `f${random(40)}`;
      if (!at.children.has(name)) {
        at.children.set(name, grown(name));
        nodes++;
      }
      at = at.children.get(name) as Grown;
    }
    at.self += 1 + random(9);
  }
  return columns(root);
}

/** The number of the node at `path`, as `main;run`. */
export function node(of: FrameTree, path: string): number {
  const names = path.split(";");
  for (let at = 1; at < of.count; at++) {
    let up = at;
    const fits = [...names].reverse().every((name) => {
      const same = of.frames[of.frame[up]]?.function === name;
      up = Math.max(0, of.parent[up]);
      return same;
    });
    if (fits && of.depth[at] === names.length) return at;
  }
  throw new Error(`no node ${path}`);
}
