/**
 * Boxes onto a canvas. All boxes of a row are equally high, so a row is one line of pixels,
 * stretched: 20,000 boxes are 20,000 short runs in an array and some 50 images to the canvas, where
 * as many rectangles would take it longer than a frame lasts.
 */

import { frameColour, oklch, shareColours, shareStep, type Theme } from "../lib/colour";
import { tintColours } from "../lib/difference";
import { type Boxes, FRAME, UNSENT } from "../lib/layout";
import { foundWithin } from "../lib/search";
import type { Scene } from "./scene";
import { ROW } from "./stage";
import { TextMeasure } from "./text";

const PADDING = 5;
/** Below this a frame holds no three letters. */
const MIN_TEXT = 24;

interface Inks {
  readonly ground: string;
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
    ...{
      ground: "#ffffff",
      text: "#1a1c22",
      faint: "#6b6f7a",
      found: oklch(0.62, 0.2, 305),
      foundText: "#ffffff",
    },
    ...{ rest: "#eceef2", root: "#dfe2e8", thin: "#c3c8d2", veil: "rgb(255 255 255 / 0.5)" },
  },
  dark: {
    ...{
      ground: "#15171b",
      text: "#f4f5f7",
      faint: "#8d93a1",
      found: oklch(0.55, 0.21, 305),
      foundText: "#ffffff",
    },
    ...{ rest: "#24272f", root: "#333844", thin: "#4d5361", veil: "rgb(16 17 20 / 0.45)" },
  },
};

/** The first colours of every palette; those of frames follow. */
const [FOUND, REST, ROOT_COLOUR, THIN_COLOUR, FIRST] = [0, 1, 2, 3, 4];

/** A colour for every frame of a tree, as indexes into a list of few. */
interface Colours {
  /** pixels as ImageData holds them */
  readonly colours: Uint32Array;
  readonly ofFrame: Uint16Array;
}

function buildColours({ tree, colouring, palette, theme, difference }: Scene): Colours {
  const { found, rest, root, thin } = INKS[theme];
  const colours = [found, rest, root, thin];
  if (difference) {
    const all = [...colours, ...tintColours(theme)];
    return { colours: Uint32Array.from(all, pixel), ofFrame: new Uint16Array() };
  }
  if (colouring === "share") {
    const all = [...colours, ...shareColours(theme)];
    return { colours: Uint32Array.from(all, pixel), ofFrame: new Uint16Array() };
  }
  const numbers = new Map<string, number>();
  const ofFrame = Uint16Array.from(tree.frames, (frame) => {
    const colour = frameColour(frame, colouring, theme, palette);
    const number = numbers.get(colour) ?? colours.push(colour) - 1;
    numbers.set(colour, number);
    return number;
  });
  return { colours: Uint32Array.from(colours, pixel), ofFrame };
}

/** `#rrggbb` as the bytes r, g, b, 255. */
function pixel(colour: string): number {
  const bytes = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  return new Uint32Array(new Uint8Array([...bytes, 255]).buffer)[0];
}

/** Depths [first, last] in view, device pixels a CSS pixel, and the y of a depth. */
export interface View {
  readonly first: number;
  readonly last: number;
  readonly ratio: number;
  top(depth: number): number;
}

export class Painter {
  private colours: Colours = { colours: new Uint32Array(), ofFrame: new Uint16Array() };
  private painted: Scene | null = null;
  private measure: TextMeasure | null = null;
  /** Two lines a row: frames alone, and frames with the markers, which are half as high. */
  private readonly lines = document.createElement("canvas");

  constructor(
    private readonly context: CanvasRenderingContext2D,
    private readonly font: () => string,
  ) {}

  /** To be called when the font has arrived: widths have changed. */
  forgetFont(): void {
    this.measure = null;
  }

  paint(scene: Scene, boxes: Boxes, view: View): void {
    const { context } = this;
    this.choosePalette(scene);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = INKS[scene.theme].ground;
    context.fillRect(0, 0, context.canvas.width, context.canvas.height);
    this.drawLines(scene, boxes, view);
    this.stretchLines(view);
    context.setTransform(view.ratio, 0, 0, view.ratio, 0, 0);
    this.veil(scene, view);
    this.writeNames(scene, boxes, view);
  }

  private choosePalette(scene: Scene): void {
    const { painted } = this;
    const same = (["tree", "colouring", "palette", "theme", "difference"] as const).every(
      (part) => painted?.[part] === scene[part],
    );
    if (!same) this.colours = buildColours(scene);
    this.painted = scene;
  }

  private colour({ tree, found, colouring, difference }: Scene, boxes: Boxes, i: number): number {
    const node = boxes.node[i];
    if (boxes.kind[i] === UNSENT) return THIN_COLOUR;
    if (boxes.kind[i] !== FRAME) {
      return found && foundWithin(found, node, boxes.until[i]) ? FOUND : THIN_COLOUR;
    }
    const frame = tree.frame[node];
    if (frame < 0) return ROOT_COLOUR;
    if (!found && difference) return FIRST + difference.tint[node];
    if (!found && colouring === "share") {
      return FIRST + shareStep(tree.total[node] / tree.total[0]);
    }
    if (!found) return this.colours.ofFrame[frame];
    return found.frames[frame] ? FOUND : REST;
  }

  private drawLines(scene: Scene, boxes: Boxes, { first, last, ratio }: View): void {
    const width = this.context.canvas.width;
    const image = new ImageData(width, 2 * (last - first + 1));
    const pixels = new Uint32Array(image.data.buffer).fill(pixel(INKS[scene.theme].ground));
    for (let i = 0; i < boxes.count; i++) {
      const left = Math.round(boxes.left[i] * ratio);
      const room = Math.round(boxes.right[i] * ratio) - left;
      const right = left + (room > 2 * ratio ? room - 1 : Math.max(room, 1));
      const colour = this.colours.colours[this.colour(scene, boxes, i)];
      const line = 2 * (boxes.depth[i] - first) * width;
      if (boxes.kind[i] === FRAME) pixels.fill(colour, line + left, line + right);
      pixels.fill(colour, line + width + left, line + width + right);
    }
    this.lines.width = width;
    this.lines.height = image.height;
    this.lines.getContext("2d", { alpha: false })?.putImageData(image, 0, 0);
  }

  private stretchLines({ first, last, ratio, top }: View): void {
    const { context, lines } = this;
    const height = Math.round(ROW * ratio) - Math.max(1, Math.round(ratio));
    const quarter = height >> 2;
    context.imageSmoothingEnabled = false;
    for (let depth = first; depth <= last; depth++) {
      const y = Math.round(top(depth) * ratio);
      const line = 2 * (depth - first);
      const { width } = lines;
      context.drawImage(lines, 0, line, width, 1, 0, y, width, height);
      context.drawImage(lines, 0, line + 1, width, 1, 0, y + quarter, width, height - 2 * quarter);
    }
  }

  /** Ancestors of the focus step back. */
  private veil({ tree, focus, theme }: Scene, { ratio, top }: View): void {
    const rows = tree.depth[focus];
    if (rows === 0) return;
    const y = Math.min(top(0), top(rows - 1));
    this.context.fillStyle = INKS[theme].veil;
    this.context.fillRect(0, y, this.context.canvas.width / ratio, rows * ROW);
  }

  private writeNames(scene: Scene, boxes: Boxes, { top }: View): void {
    const { context } = this;
    context.font = this.font();
    context.textBaseline = "middle";
    this.measure ??= new TextMeasure(context);
    const inks = INKS[scene.theme];
    for (let i = 0; i < boxes.count; i++) {
      const room = boxes.right[i] - boxes.left[i] - 2 * PADDING;
      if (room < MIN_TEXT - 2 * PADDING || boxes.kind[i] !== FRAME) continue;
      const text = this.measure.fit(nameOf(scene, boxes.node[i]), room);
      if (!text) continue;
      const colour = this.colour(scene, boxes, i);
      context.fillStyle =
        colour === FOUND ? inks.foundText : colour === REST ? inks.faint : inks.text;
      context.fillText(text, boxes.left[i] + PADDING, top(boxes.depth[i]) + ROW / 2);
    }
  }
}

const nameOf = ({ tree }: Scene, node: number): string =>
  tree.frames[tree.frame[node]]?.function ?? "total";
