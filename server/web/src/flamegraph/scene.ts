/** What a flamegraph shows and what it tells: its whole interface with the page around it. */

import type { Colouring, Palette, Theme } from "../lib/colour";
import type { Difference } from "../lib/difference";
import type { Found } from "../lib/search";
import type { FrameTree } from "../lib/tree";

export type Orientation = "icicle" | "flame";

/** A value: to change what is shown, show another one. */
export interface Scene {
  readonly tree: FrameTree;
  /** unit of the values, for the tooltip */
  readonly unit: string;
  /** the node that takes the whole width, under its ancestors */
  readonly focus: number;
  /** what of the focus' width is in view, see lib/view.ts */
  readonly view: string;
  /** the node under the keyboard's cursor */
  readonly selected: number;
  readonly found: Found | null;
  /** icicle: root on top; flame: root at the bottom */
  readonly orientation: Orientation;
  readonly colouring: Colouring;
  readonly palette: Palette;
  readonly theme: Theme;
  /** where two sides are drawn as one: colours are of what changed */
  readonly difference?: Difference | undefined;
}

/** What the user asks for; the page answers with another scene. */
export interface Listener {
  focus(node: number): void;
  select(node: number): void;
  /** a part of the focus' width, when a wheel, a drag or a key has come to rest on it */
  look(view: string): void;
}
