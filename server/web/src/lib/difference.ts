/**
 * Two sides as one tree: a node is as wide as its parts of both together, and what it was, what it
 * is now and whether that is more than chance stand beside it.
 */

import { oklch, type Theme } from "./colour";
import { PayloadError } from "./payload";
import { buildTree, type FrameTree, type Kind } from "./tree";

export type Change = "new" | "vanished" | "grown" | "shrunk" | "moved" | "noise";

/** By node: its parts of everything on either side, from 0 to 1, and an index into `TINTS`. */
export interface Difference {
  readonly before: Float64Array;
  readonly after: Float64Array;
  readonly tint: Uint8Array;
  readonly change: readonly Change[];
}

export interface DifferenceCost {
  readonly before: number;
  readonly after: number;
  /** the interval of the difference */
  readonly low: number;
  readonly high: number;
  readonly samples_before: number;
  readonly samples: number;
  readonly change: Change;
}

interface FunctionKey {
  readonly function: string;
  readonly file: string;
  readonly binary: string;
  readonly kind: Kind;
}

export interface DifferenceRow extends FunctionKey {
  readonly names: readonly string[];
  readonly moved_in: readonly FunctionKey[];
  readonly self: DifferenceCost;
  readonly total: DifferenceCost;
}

export interface DifferenceSide {
  readonly query: string;
  readonly from: number;
  readonly to: number;
  readonly units: number;
  readonly total: { readonly value: number; readonly samples: number };
  readonly coverage: { readonly hosts: number };
}

export interface DifferenceAnswer {
  readonly tree: FrameTree;
  readonly difference: Difference;
  readonly unit: string;
  readonly per: "share" | "cores";
  readonly sides: readonly [DifferenceSide, DifferenceSide];
  readonly paired: boolean;
  readonly clustered: boolean;
  readonly notices: readonly string[];
  readonly functions: readonly DifferenceRow[];
  readonly functionsTotal: number;
}

/** Colours of the tree's frames: grey for noise, orange for more and blue for less, which eyes that
 * do not tell red from green tell apart as well. */
export const TINTS = [
  ...["noise", "moved"],
  ...["grown", "grown", "grown", "new", "shrunk", "shrunk", "shrunk", "vanished"],
] as const satisfies readonly Change[];

const COLOURS: Record<Theme, readonly (readonly [number, number, number])[]> = {
  light: [
    ...([
      [0.91, 0.004, 260],
      [0.84, 0.06, 310],
    ] as const),
    ...([
      [0.88, 0.07, 65],
      [0.81, 0.12, 58],
      [0.75, 0.155, 52],
      [0.7, 0.18, 40],
    ] as const),
    ...([
      [0.88, 0.045, 240],
      [0.81, 0.08, 245],
      [0.74, 0.11, 250],
      [0.68, 0.14, 258],
    ] as const),
  ],
  dark: [
    ...([
      [0.33, 0.006, 260],
      [0.4, 0.07, 310],
    ] as const),
    ...([
      [0.38, 0.05, 65],
      [0.42, 0.08, 58],
      [0.46, 0.11, 52],
      [0.47, 0.13, 40],
    ] as const),
    ...([
      [0.37, 0.045, 240],
      [0.41, 0.075, 245],
      [0.44, 0.1, 250],
      [0.46, 0.13, 258],
    ] as const),
  ],
};

export const tintColours = (theme: Theme): string[] =>
  COLOURS[theme].map(([lightness, chroma, hue]) => oklch(lightness, chroma, hue));

/** The strongest colour of a change. */
export const changeColour = (change: Change, theme: Theme): string =>
  tintColours(theme)[TINTS.lastIndexOf(change as (typeof TINTS)[number])];

/** Of a node that changed from one part of everything to another: stronger from a fifth and a half. */
function tintOf(change: Change, before: number, after: number): number {
  const first = TINTS.indexOf(change as (typeof TINTS)[number]);
  if (change !== "grown" && change !== "shrunk") return first;
  const relative = Math.abs(after - before) / Math.max(before, after);
  return first + (relative < 0.2 ? 0 : relative < 0.5 ? 1 : 2);
}

const VERSION = 1;

/** Whole widths, so that sums are exact: this many are all of a side. */
const WHOLE = 2 ** 40;

interface Payload {
  version: number;
  strings: string[];
  changes: Change[];
  frames: { function: number[]; file: number[]; binary: number[]; kind: Kind[] };
  nodes: Record<
    | "depth"
    | "frame"
    | "change"
    | "self_before"
    | "self"
    | "total_before"
    | "total"
    | "samples_before"
    | "samples",
    number[]
  >;
  functions_total: number;
}

/** Throws PayloadError where the answer is not what docs/reference/http-api.md promises. */
export function decodeDifference(json: unknown): DifferenceAnswer {
  const payload = json as Payload & Omit<DifferenceAnswer, "tree" | "difference">;
  if (payload?.version !== VERSION) {
    throw new PayloadError(
      `diff: expected version ${VERSION}, got ${payload?.version}; reload the page`,
    );
  }
  const { frames, nodes, strings } = payload;
  const lengths = new Set(Object.values(nodes).map((column) => column.length));
  if (lengths.size > 1 || nodes.depth[0] !== 0) throw new PayloadError("diff: nodes do not fit");
  const named = frames.function.map((name, i) => ({
    function: strings[name] ?? "",
    file: strings[frames.file[i]] ?? "",
    ...{ line: 0, binary: strings[frames.binary[i]] ?? "", buildId: "", address: "" },
    kind: frames.kind[i],
  }));
  const width = widths(nodes);
  const samples = nodes.samples.map((n, node) => n + nodes.samples_before[node]);
  const tree = buildTree(named, { depth: nodes.depth, frame: nodes.frame, ...width, samples });
  return {
    ...payload,
    tree,
    difference: differenceOf(payload),
    functionsTotal: payload.functions_total,
  };
}

function differenceOf({ nodes, changes }: Payload): Difference {
  const part = (column: number[]) => Float64Array.from(column, (n) => n / (column[0] || 1));
  const before = part(nodes.total_before);
  const after = part(nodes.total);
  const change = nodes.change.map((number) => changes[number] ?? "noise");
  const tint = Uint8Array.from(change, (one, node) => tintOf(one, before[node], after[node]));
  return { before, after, tint, change };
}

/** Total and unsent of each node, in whole widths: sums from the leaves up. */
function widths({ depth, total_before, total, self_before, self }: Payload["nodes"]) {
  const scales = [WHOLE / (total_before[0] || 1), WHOLE / (total[0] || 1)];
  const wide = (before: number, after: number) =>
    Math.round(before * scales[0] + after * scales[1]);
  const below = depth.map(() => [0, 0]);
  const parents = parentsOf(depth);
  for (let node = depth.length - 1; node > 0; node--) {
    below[parents[node]][0] += total_before[node];
    below[parents[node]][1] += total[node];
  }
  const unsent = depth.map((_, node) =>
    wide(
      total_before[node] - self_before[node] - below[node][0],
      total[node] - self[node] - below[node][1],
    ),
  );
  const sums = depth.map((_, node) => unsent[node] + wide(self_before[node], self[node]));
  for (let node = depth.length - 1; node > 0; node--) sums[parents[node]] += sums[node];
  return { total: sums, unsent };
}

function parentsOf(depth: readonly number[]): number[] {
  const open: number[] = [];
  return depth.map((level, node) => {
    open[level] = node;
    return level > 0 ? open[level - 1] : -1;
  });
}

/** `+1.2 pp`, `−0.04 pp`; cores as they are. */
export function difference({ before, after }: DifferenceCost, per: "share" | "cores"): string {
  return signed(after - before, per);
}

export function signed(amount: number, per: "share" | "cores"): string {
  const size = Math.abs(per === "share" ? 100 * amount : amount);
  const sign = amount > 0 ? "+" : amount < 0 ? "−" : "";
  const digits = size >= 10 ? 1 : size >= 0.995 ? 2 : 3;
  return `${sign}${size.toFixed(digits)}${per === "share" ? " pp" : ""}`;
}

/** `−100%`, `+20%`, `new`. */
export function relative({ before, after }: DifferenceCost): string {
  if (before === 0) return after === 0 ? "" : "new";
  const percent = (100 * (after - before)) / before;
  return `${percent > 0 ? "+" : percent < 0 ? "−" : ""}${Math.abs(percent).toFixed(0)}%`;
}
