/**
 * Where rows stand: a sheet as high as all rows, which scrolls, and a canvas as high as what is seen
 * of it, which stays put. Sizes are read when they change and not on every frame, because reading
 * makes the browser lay the page out.
 */

import type { Orientation } from "./scene";

/** CSS pixels, the line between two rows included. */
export const ROW = 20;

export class Stage {
  readonly scroller = part("flamegraph");
  readonly context: CanvasRenderingContext2D;
  width = 0;
  height = 0;
  private readonly sheet = part("flamegraph-sheet");
  private readonly canvas = document.createElement("canvas");
  private readonly observer = new ResizeObserver(() => this.resize());
  private rows = 1;
  private orientation: Orientation = "icicle";

  constructor(
    host: HTMLElement,
    private readonly onResize: () => void,
  ) {
    this.scroller.tabIndex = 0;
    this.scroller.setAttribute("role", "application");
    this.scroller.setAttribute("aria-roledescription", "flamegraph");
    this.scroller.setAttribute(
      "aria-label",
      "Flamegraph: arrow keys move, Enter zooms, Esc resets",
    );
    this.sheet.append(this.canvas);
    this.scroller.append(this.sheet);
    host.append(this.scroller);
    // Opaque: nothing shines through, so nothing need be blended with what is below.
    this.context = this.canvas.getContext("2d", { alpha: false }) as CanvasRenderingContext2D;
    this.measure();
    this.observer.observe(this.scroller);
  }

  remove(): void {
    this.observer.disconnect();
    this.scroller.remove();
  }

  get scrolled(): number {
    return this.scroller.scrollTop;
  }

  arrange(rows: number, orientation: Orientation): void {
    this.rows = rows;
    this.orientation = orientation;
    this.sheet.style.height = `${this.sheetHeight}px`;
  }

  /** Gives the canvas the size of what is seen; returns device pixels a CSS pixel. */
  fitCanvas(): number {
    const { canvas, width, height } = this;
    const ratio = devicePixelRatio;
    const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== across || canvas.height !== down) {
      canvas.width = across;
      canvas.height = down;
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    return ratio;
  }

  /** y of a row on the sheet. */
  top(depth: number): number {
    return this.orientation === "icicle" ? depth * ROW : this.sheetHeight - (depth + 1) * ROW;
  }

  /** The depth that stands `y` below the upper edge of what is seen. */
  depthAt(y: number): number {
    const onSheet = y + this.scrolled;
    if (this.orientation === "icicle") return Math.floor(onSheet / ROW);
    return Math.max(0, Math.ceil((this.sheetHeight - onSheet) / ROW) - 1);
  }

  /** The first and the last depth that can be seen. */
  depths(): { first: number; last: number } {
    const first = this.depthAt(this.orientation === "icicle" ? 0 : this.height);
    return { first, last: Math.min(first + Math.ceil(this.height / ROW), this.rows - 1) };
  }

  /** Scrolls no further than needed for the row and one below it to be seen. */
  reveal(depth: number): void {
    const y = this.top(depth);
    const lowest = y + 2 * ROW - this.height;
    if (y < this.scrolled) this.scroller.scrollTop = y;
    else if (lowest > this.scrolled) this.scroller.scrollTop = lowest;
  }

  /** A frame around a box, which moves with the sheet. */
  addOutline(className: string): Outline {
    const element = part(className);
    this.sheet.append(element);
    return new Outline(element);
  }

  private get sheetHeight(): number {
    return Math.max(this.rows * ROW, this.height);
  }

  private measure(): void {
    this.width = this.scroller.clientWidth;
    this.height = this.scroller.clientHeight;
  }

  private resize(): void {
    this.measure();
    this.sheet.style.height = `${this.sheetHeight}px`;
    this.onResize();
  }
}

export class Outline {
  constructor(private readonly element: HTMLElement) {
    element.hidden = true;
  }

  hide(): void {
    this.element.hidden = true;
  }

  /** Around [left, right), which is shown even where it is too thin to be drawn. */
  show(left: number, right: number, top: number): void {
    this.element.hidden = right <= left;
    this.element.style.transform = `translate(${left}px, ${top}px)`;
    this.element.style.width = `${Math.max(3, right - left)}px`;
  }
}

function part(className: string): HTMLElement {
  const element = document.createElement("div");
  element.className = className;
  return element;
}
