/**
 * A node's path as fourteen characters for the URL: the same stack has the same name in every
 * profile, so that a link keeps its zoom when the data under it grows.
 */

import { type Frame, type FrameTree, ROOT } from "./tree";

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

/** Both halves of every node's name; reckoned once a tree, for each click asks for them. */
const known = new WeakMap<FrameTree, readonly Uint32Array[]>();

function halves(tree: FrameTree): readonly Uint32Array[] {
  const made = known.get(tree) ?? SEEDS.map((seed) => hashes(tree, seed));
  known.set(tree, made);
  return made;
}

function hashes(tree: FrameTree, seed: number): Uint32Array {
  const frames = tree.frames.map((frame) => fnv(identity(frame), seed));
  const of = new Uint32Array(tree.count).fill(seed);
  for (let node = 1; node < tree.count; node++) {
    of[node] = mix(of[tree.parent[node]], frames[tree.frame[node]]);
  }
  return of;
}

/** "" for the root. */
export function pathName(tree: FrameTree, node: number): string {
  if (node === ROOT) return "";
  return halves(tree)
    .map((half) => half[node].toString(36).padStart(7, "0"))
    .join("");
}

/** The node of that name, -1 where this tree has none. */
export function findPath(tree: FrameTree, name: string): number {
  if (name === "") return ROOT;
  const [high, low] = [Number.parseInt(name.slice(0, 7), 36), Number.parseInt(name.slice(7), 36)];
  const [highs, lows] = halves(tree);
  for (let node = 1; node < tree.count; node++) {
    if (highs[node] === high && lows[node] === low) return node;
  }
  return -1;
}
