/**
 * A node's path as fourteen characters for the URL: the same stack has the same name in every
 * profile, so that a link keeps its zoom when the data under it grows. The server finds nodes by
 * the same names (profiler/analysis/path.py), those that were not sent too.
 */

import { type Frame, type FrameTree, ROOT } from "./tree";

/** The sum of the UTF-16 units of `text` by the powers of `factor`. */
function hash(text: string, factor: number): number {
  let [sum, power] = [0, factor];
  for (let i = 0; i < text.length; i++) {
    sum = (sum + Math.imul(text.charCodeAt(i), power)) | 0;
    power = Math.imul(power, factor);
  }
  return sum;
}

export const identity = (frame: Frame): string =>
  [frame.function, frame.file, frame.binary, frame.kind].join("\0");

/** Seed and factor of each half: 64 bits, of a million nodes two share a name once in 37 million profiles. */
const HALVES = [
  [0x811c9dc5, 0x01000193],
  [0x3c6ef372, 0x9e3779b1],
] as const;

const mix = (above: number, frame: number): number => {
  let hash = Math.imul(above ^ (above >>> 15), 0x2c1b3c6d) + frame;
  hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
  return (hash ^ (hash >>> 15)) >>> 0;
};

/** Both halves of every node's name; reckoned once a tree, for each click asks for them. */
const known = new WeakMap<FrameTree, readonly Uint32Array[]>();

function halves(tree: FrameTree): readonly Uint32Array[] {
  const made = known.get(tree) ?? HALVES.map(([seed, factor]) => hashes(tree, seed, factor));
  known.set(tree, made);
  return made;
}

function hashes(tree: FrameTree, seed: number, factor: number): Uint32Array {
  const frames = tree.frames.map((frame) => (hash(identity(frame), factor) ^ seed) >>> 0);
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
