/**
 * Searching frames, and the exact share of the total that a search stands for.
 *
 *     poll            text, in any case           kind:kernel     in another field: file, binary, kind
 *     /^poll_.*$/     regular expression          "poll"          the whole name, exactly
 */

import { type Frame, type FrameTree, unsent } from "./tree";

export type Predicate = (frame: Frame) => boolean;

export class SearchError extends Error {}

/** Not before a second colon: the Rust path `file::open` is text. */
const FIELD = /^(function|file|binary|kind):(?!:)\s*/;

/** Null where there is nothing to search for; SearchError for a regular expression with a mistake. */
export function compile(text: string): Predicate | null {
  const field = FIELD.exec(text)?.[1] as "function" | "file" | "binary" | "kind" | undefined;
  const matches = compileText(text.replace(FIELD, "").trim());
  return matches && ((frame) => matches(frame[field ?? "function"]));
}

function compileText(text: string): ((value: string) => boolean) | null {
  if (text.length === 0) return null;
  const expression = /^\/(.+)\/(i?)$/.exec(text);
  if (expression) {
    const pattern = regularExpression(expression[1], expression[2]);
    return (value) => pattern.test(value);
  }
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

export function find(tree: FrameTree, predicate: Predicate): Found {
  const frames = Uint8Array.from(tree.frames, (frame) => (predicate(frame) ? 1 : 0));
  const before = new Int32Array(tree.count + 1);
  let [value, samples, unsearched] = [0, 0, 0];
  let covered = 0; // nodes before this one lie below a match
  for (let node = 0; node < tree.count; node++) {
    const matches = node > 0 && frames[tree.frame[node]] === 1;
    before[node + 1] = before[node] + (matches ? 1 : 0);
    if (node < covered) continue;
    if (matches) {
      value += tree.total[node];
      samples += tree.samples[node];
      covered = tree.end[node];
    } else {
      unsearched += unsent(tree, node);
    }
  }
  return { frames, before, nodes: before[tree.count], value, samples, unsearched };
}

/** Whether a match stands among the nodes [from, to). */
export const foundWithin = (found: Found, from: number, to: number): boolean =>
  found.before[to] > found.before[from];
