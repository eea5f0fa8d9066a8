/**
 * Boxes onto a canvas. Boxes of one colour are filled together, because setting a colour costs
 * more than filling a box; edges lie on device pixels, so that they are sharp.
 */

import { frameColour, oklch, type Theme } from "../lib/colour";
import { type Boxes, FRAME, UNSENT } from "../lib/layout";
import { foundWithin } from "../lib/search";
import type { Scene } from "./scene";
import { TextMeasure } from "./text";

export const ROW = 20; // CSS pixels, the line between rows included
const PADDING = 5;
/** Below this a frame holds no three letters. */
const MIN_TEXT = 24;

interface Inks {
  readonly text: string;
  readonly faint: string;
  readonly found: string;
  readonly foundText: string;
  readonly rest: string;
  readonly root: string;
  readonly thin: string;
  readonly veil: string;
}

const INKS: Record<Theme, Inks> = {
  light: {
    ...{ text: "#1a1c22", faint: "#6b6f7a", found: oklch(0.62, 0.2, 305), foundText: "#ffffff" },
    ...{ rest: "#eceef2", root: "#dfe2e8", thin: "#c3c8d2", veil: "rgb(255 255 255 / 0.5)" },
  },
  dark: {
    ...{ text: "#f4f5f7", faint: "#8d93a1", found: oklch(0.55, 0.21, 305), foundText: "#ffffff" },
    ...{ rest: "#24272f", root: "#333844", thin: "#4d5361", veil: "rgb(16 17 20 / 0.45)" },
  },
};

/** The first colours of every palette; those of frames follow. */
const [FOUND, REST, ROOT_COLOUR, THIN_COLOUR] = [0, 1, 2, 3];

/** A colour for every frame of a tree, as indexes into a short list. */
interface Palette {
  readonly colours: readonly string[];
  readonly ofFrame: Uint16Array;
}

function buildPalette({ tree, colouring, theme }: Scene): Palette {
  const { found, rest, root, thin } = INKS[theme];
  const colours = [found, rest, root, thin];
  const numbers = new Map<string, number>();
  const ofFrame = Uint16Array.from(tree.frames, (frame) => {
    const colour = frameColour(frame, colouring, theme);
    const number = numbers.get(colour) ?? colours.push(colour) - 1;
    numbers.set(colour, number);
    return number;
  });
  return { colours, ofFrame };
}

export class Painter {
  private palette: Palette = { colours: [], ofFrame: new Uint16Array() };
  private painted: Scene | null = null;
  private measure: TextMeasure | null = null;
  private order = new Int32Array();
  private colourOf = new Uint16Array();

  constructor(
    private readonly context: CanvasRenderingContext2D,
    private readonly font: () => string,
  ) {}

  /** To be called when the font has arrived: widths have changed. */
  forgetFont(): void {
    this.measure = null;
  }

  /** `top` gives the y of a depth, in CSS pixels; `veiled` rows are above the focus. */
  paint(scene: Scene, boxes: Boxes, ratio: number, top: (depth: number) => number): void {
    this.prepare(scene, boxes);
    const { context } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    this.fillBoxes(boxes, ratio, top);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.veil(scene, ratio, top);
    this.writeNames(scene, boxes, top);
  }

  private prepare(scene: Scene, boxes: Boxes): void {
    const before = this.painted;
    if (
      before?.tree !== scene.tree ||
      before.colouring !== scene.colouring ||
      before.theme !== scene.theme
    ) {
      this.palette = buildPalette(scene);
    }
    this.painted = scene;
    if (this.order.length < boxes.count) {
      this.order = new Int32Array(boxes.node.length);
      this.colourOf = new Uint16Array(boxes.node.length);
    }
    for (let i = 0; i < boxes.count; i++) this.colourOf[i] = this.colour(scene, boxes, i);
    this.sortByColour(boxes.count);
  }

  private colour({ tree, found }: Scene, boxes: Boxes, i: number): number {
    const node = boxes.node[i];
    if (boxes.kind[i] === UNSENT) return THIN_COLOUR;
    if (boxes.kind[i] !== FRAME) {
      return found && foundWithin(found, node, boxes.until[i]) ? FOUND : THIN_COLOUR;
    }
    const frame = tree.frame[node];
    if (frame < 0) return ROOT_COLOUR;
    if (!found) return this.palette.ofFrame[frame];
    return found.frames[frame] ? FOUND : REST;
  }

  /** Counting sort of the box numbers into `order`. */
  private sortByColour(count: number): void {
    const places = new Int32Array(this.palette.colours.length + 1);
    for (let i = 0; i < count; i++) places[this.colourOf[i] + 1]++;
    for (let c = 1; c < places.length; c++) places[c] += places[c - 1];
    for (let i = 0; i < count; i++) this.order[places[this.colourOf[i]]++] = i;
  }

  private fillBoxes(boxes: Boxes, ratio: number, top: (depth: number) => number): void {
    const { context, palette } = this;
    const height = Math.round(ROW * ratio) - Math.max(1, Math.round(ratio));
    let colour = -1;
    for (let at = 0; at < boxes.count; at++) {
      const i = this.order[at];
      if (this.colourOf[i] !== colour) {
        colour = this.colourOf[i];
        context.fillStyle = palette.colours[colour];
      }
      const left = Math.round(boxes.left[i] * ratio);
      const room = Math.round(boxes.right[i] * ratio) - left;
      const width = room > 2 * ratio ? room - 1 : Math.max(room, 1);
      const y = Math.round(top(boxes.depth[i]) * ratio);
      // A marker is half as high as a frame, so that it is seen to be none.
      if (boxes.kind[i] === FRAME) context.fillRect(left, y, width, height);
      else context.fillRect(left, y + (height >> 2), width, height >> 1);
    }
  }

  /** Ancestors of the focus step back. */
  private veil({ tree, focus, theme }: Scene, ratio: number, top: (depth: number) => number): void {
    const rows = tree.depth[focus];
    if (rows === 0) return;
    const y = Math.min(top(0), top(rows - 1));
    this.context.fillStyle = INKS[theme].veil;
    this.context.fillRect(0, y, this.context.canvas.width / ratio, rows * ROW);
  }

  private writeNames(scene: Scene, boxes: Boxes, top: (depth: number) => number): void {
    const { context } = this;
    const inks = INKS[scene.theme];
    context.font = this.font();
    context.textBaseline = "middle";
    this.measure ??= new TextMeasure(context);
    let colour = -1;
    for (let at = 0; at < boxes.count; at++) {
      const i = this.order[at];
      const room = boxes.right[i] - boxes.left[i] - 2 * PADDING;
      if (room < MIN_TEXT - 2 * PADDING || boxes.kind[i] !== FRAME) continue;
      if (this.colourOf[i] !== colour) {
        colour = this.colourOf[i];
        context.fillStyle =
          colour === FOUND ? inks.foundText : colour === REST ? inks.faint : inks.text;
      }
      const text = this.measure.fit(nameOf(scene, boxes.node[i]), room);
      const middle = top(boxes.depth[i]) + ROW / 2;
      if (text) context.fillText(text, boxes.left[i] + PADDING, middle);
    }
  }
}

const nameOf = ({ tree }: Scene, node: number): string =>
  tree.frames[tree.frame[node]]?.function ?? "total";
