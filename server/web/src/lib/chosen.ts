/** The function that is looked at, as the URL says it: what the table, a frame and a sandwich mean. */

import { type FrameTree, frameOf } from "./tree";
import type { PageState } from "./url";

export type Chosen = Pick<PageState, "function" | "file" | "binary">;

export const NOBODY: Chosen = { function: "", file: "", binary: "" };

/** Nobody at the root. */
export function chosenAt(tree: FrameTree, node: number): Chosen {
  const frame = frameOf(tree, node);
  return frame ? { function: frame.function, file: frame.file, binary: frame.binary } : NOBODY;
}

export const isChosen = (one: Chosen, of: Chosen): boolean =>
  one.function === of.function && one.file === of.file && one.binary === of.binary;
