/** Widths of text without asking the canvas: measuring 2,000 names a frame takes longer than drawing. */

import { shorten } from "../lib/names";

const ASCII = 128;

export class TextMeasure {
  private readonly widths = new Float64Array(ASCII);
  private readonly wide: number;

  /** `context` has the font set. */
  constructor(context: CanvasRenderingContext2D) {
    for (let code = 32; code < ASCII; code++) {
      this.widths[code] = context.measureText(String.fromCharCode(code)).width;
    }
    this.wide = context.measureText("…世").width; // as wide as letters beyond ASCII get
  }

  /** Pixels, never too few. */
  width(text: string): number {
    let sum = 0;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      sum += code < ASCII ? this.widths[code] : this.wide;
    }
    return sum;
  }

  /** As much of `name` as `pixels` hold. */
  fit(name: string, pixels: number): string {
    const full = this.width(name);
    if (full <= pixels) return name;
    let room = Math.floor((name.length * pixels) / full) + 2;
    let text = shorten(name, room);
    while (text !== "" && this.width(text) > pixels) text = shorten(name, --room);
    return text;
  }
}
