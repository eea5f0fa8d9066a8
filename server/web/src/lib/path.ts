/**
 * A node's path as fourteen characters for the URL: the same stack has the same name in every
 * profile, so that a link keeps its zoom when the data under it grows.
 */

import { ancestors, type Frame, type FrameTree, ROOT } from "./tree";

/** FNV-1a over the UTF-16 units of `text`, continued from `seed`. */
function fnv(text: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

const identity = (frame: Frame): string =>
  [frame.function, frame.file, frame.binary, frame.kind].join("\0");

/** Two halves make 64 bits: of a million nodes, two share a name once in 37 million profiles. */
const SEEDS = [0x811c9dc5, 0x3c6ef372];

const mix = (above: number, frame: number): number => {
  let hash = Math.imul(above ^ (above >>> 15), 0x2c1b3c6d) + frame;
  hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
  return (hash ^ (hash >>> 15)) >>> 0;
};

const spell = (high: number, low: number): string =>
  high.toString(36).padStart(7, "0") + low.toString(36).padStart(7, "0");

/** "" for the root. */
export function pathName(tree: FrameTree, node: number): string {
  if (node === ROOT) return "";
  const [high, low] = SEEDS.map((seed) =>
    ancestors(tree, node)
      .slice(1)
      .reduce((above, at) => mix(above, fnv(identity(tree.frames[tree.frame[at]]), seed)), seed),
  );
  return spell(high, low);
}

/** The node of that name, -1 where this tree has none. */
export function findPath(tree: FrameTree, name: string): number {
  if (name === "") return ROOT;
  const names = SEEDS.map((seed) => {
    const frames = tree.frames.map((frame) => fnv(identity(frame), seed));
    const hashes = new Uint32Array(tree.count).fill(seed);
    for (let node = 1; node < tree.count; node++) {
      hashes[node] = mix(hashes[tree.parent[node]], frames[tree.frame[node]]);
    }
    return hashes;
  });
  const [high, low] = [Number.parseInt(name.slice(0, 7), 36), Number.parseInt(name.slice(7), 36)];
  for (let node = 1; node < tree.count; node++) {
    if (names[0][node] === high && names[1][node] === low) return node;
  }
  return -1;
}
