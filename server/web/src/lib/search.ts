/**
 * Searching frames, and the exact share of the total that a search stands for.
 *
 *     poll            text, in any case           kind:kernel     in another field: file, binary, kind
 *     /^poll_.*$/     regular expression          "poll"          the whole name, exactly
 */

import { type Frame, type FrameTree, unsent } from "./tree";

export class SearchError extends Error {}

const FIELDS = ["function", "file", "binary", "kind"] as const;

/** What is searched: a field of frames, for a text or by an expression. */
export interface Search {
  readonly field: (typeof FIELDS)[number];
  readonly matches: ((value: string) => boolean) | RegExp;
}

/** Not before a second colon: the Rust path `file::open` is text. */
const FIELD = new RegExp(`^(${FIELDS.join("|")}):(?!:)\\s*`);

/** Null where there is nothing to search for; SearchError for a regular expression with a mistake. */
export function compile(text: string): Search | null {
  const field = (FIELD.exec(text)?.[1] ?? "function") as Search["field"];
  const matches = compileText(text.replace(FIELD, "").trim());
  return matches && { field, matches };
}

function compileText(text: string): Search["matches"] | null {
  if (text.length === 0) return null;
  const expression = /^\/(.+)\/(i?)$/.exec(text);
  if (expression) return regularExpression(expression[1], expression[2]);
  const exact = /^"(.+)"$/.exec(text)?.[1];
  if (exact !== undefined) return (value) => value === exact;
  const low = text.toLowerCase();
  return (value) => value.toLowerCase().includes(low);
}

function regularExpression(source: string, flags: string): RegExp {
  try {
    return new RegExp(source, flags);
  } catch (error) {
    throw new SearchError((error as Error).message);
  }
}

/** An entry a value, 1 where it matches. An expression may take forever: see src/matcher.ts. */
export const matched = (values: readonly string[], matches: Search["matches"]): Uint8Array => {
  const test = matches instanceof RegExp ? (value: string) => matches.test(value) : matches;
  return Uint8Array.from(values, (value) => (test(value) ? 1 : 0));
};

/** What is searched of each frame. */
export const valuesOf = (frames: readonly Frame[], { field }: Search): string[] =>
  frames.map((frame) => frame[field]);

/** What finds `frame` again: its exact function name. */
export const exactly = (name: string): string => `"${name}"`;

export interface Found {
  /** frame → 1 where it matches */
  readonly frames: Uint8Array;
  /** node → matching nodes before it; count + 1 entries, so a subtree is a difference */
  readonly before: Int32Array;
  readonly nodes: number;
  /** of all stacks with a match, each counted once */
  readonly value: number;
  readonly samples: number;
  /** what was not sent and lies under no match: the search may stand for so much more */
  readonly unsearched: number;
}

/** Each frame is matched once, however many nodes show it. */
export function find(tree: FrameTree, frames: Uint8Array): Found {
  const { count, frame, end, total } = tree;
  const before = new Int32Array(count + 1);
  for (let node = 1; node < count; node++) before[node + 1] = before[node] + frames[frame[node]];
  let [value, samples, unsearched] = [0, 0, 0];
  for (let node = 0; node < count; ) {
    const below = end[node];
    if (before[node + 1] > before[node]) {
      value += total[node];
      samples += tree.samples[node];
      node = below;
    } else {
      if (!tree.whole) unsearched += unsent(tree, node);
      // A subtree without matches in a whole tree adds nothing.
      node = tree.whole && before[below] === before[node] ? below : node + 1;
    }
  }
  return { frames, before, nodes: before[count], value, samples, unsearched };
}

/** Whether a match stands among the nodes [from, to). */
export const foundWithin = (found: Found, from: number, to: number): boolean =>
  found.before[to] > found.before[from];
