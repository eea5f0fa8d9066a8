/**
 * An interactive flamegraph in an element of the page. It knows a tree and nothing of where the
 * tree came from; the canvas has the size of what is seen and stays put while rows scroll by.
 *
 *     const graph = new Flamegraph(element, { focus: zoomTo, select: remember });
 *     graph.show({ tree, unit: "nanoseconds", focus: 0, selected: 0, ... });
 */

import { boxAt, emptyBoxes, layOut, THIN } from "../lib/layout";
import { ROOT, type Step, step } from "../lib/tree";
import { Painter, ROW } from "./painter";
import type { Listener, Scene } from "./scene";
import { describeBox, Tooltip } from "./tooltip";

/** Frames narrower than this many CSS pixels become markers. */
const THIN_PIXELS = 1;
const ZOOM_MS = 180;

interface Span {
  readonly from: number;
  readonly to: number;
}

export class Flamegraph {
  private readonly scroller = element("div", "flamegraph");
  private readonly sheet = element("div", "flamegraph-sheet");
  private readonly canvas = document.createElement("canvas");
  private readonly hover = element("div", "flamegraph-hover");
  private readonly cursor = element("div", "flamegraph-cursor");
  private readonly tooltip: Tooltip;
  private readonly painter: Painter;
  private readonly boxes = emptyBoxes();
  private readonly observer = new ResizeObserver(() => this.resize());
  private readonly life = new AbortController();

  private scene: Scene | null = null;
  private span: Span = { from: 0, to: 1 };
  private zooming: { readonly from: Span; readonly since: number } | null = null;
  private rows = 1;
  private frame = 0;

  constructor(
    host: HTMLElement,
    private readonly listener: Listener,
  ) {
    this.scroller.tabIndex = 0;
    this.scroller.setAttribute("role", "application");
    this.scroller.setAttribute("aria-roledescription", "flamegraph");
    this.scroller.setAttribute(
      "aria-label",
      "Flamegraph: arrow keys move, Enter zooms, Esc resets",
    );
    this.sheet.append(this.canvas, this.hover, this.cursor);
    this.scroller.append(this.sheet);
    host.append(this.scroller);
    this.tooltip = new Tooltip(host);
    const context = this.canvas.getContext("2d") as CanvasRenderingContext2D;
    this.painter = new Painter(context, () => fontOf(this.scroller));
    this.listen();
    this.observer.observe(this.scroller);
  }

  destroy(): void {
    this.life.abort();
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
    this.scroller.remove();
    this.tooltip.remove();
  }

  /** Shows another scene; a new focus in the same tree is zoomed to. */
  show(scene: Scene): void {
    const before = this.scene;
    this.scene = scene;
    if (before?.tree !== scene.tree || before.focus !== scene.focus) {
      const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
      const sameTree = before?.tree === scene.tree && !calm;
      this.zooming = sameTree ? { from: this.span, since: performance.now() } : null;
      if (!sameTree) this.span = spanOf(scene);
      this.rows = deepest(scene) + 1;
      this.leave();
    }
    this.fitSheet();
    if (before?.focus !== scene.focus) this.scrollTo(scene.focus);
    else if (before.selected !== scene.selected) this.scrollTo(scene.selected);
    if (before?.orientation !== scene.orientation) this.scrollTo(ROOT);
    this.schedule();
  }

  focusKeyboard(): void {
    this.scroller.focus();
  }

  // --- drawing --------------------------------------------------------------------------------

  private schedule(): void {
    this.frame ||= requestAnimationFrame((now) => {
      this.frame = 0;
      this.draw(now);
    });
  }

  private draw(now: number): void {
    const { scene, scroller, canvas } = this;
    if (!scene || scroller.clientWidth === 0) return;
    this.advance(scene, now);
    const [width, height, ratio] = [scroller.clientWidth, scroller.clientHeight, devicePixelRatio];
    const pixels = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== pixels[0] || canvas.height !== pixels[1]) {
      [canvas.width, canvas.height] = pixels;
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    const first = this.depthAt(scene.orientation === "icicle" ? 0 : height);
    const window = { ...this.span, first, last: first + Math.ceil(height / ROW) };
    layOut(scene.tree, window, width, THIN_PIXELS, this.boxes);
    this.painter.paint(scene, this.boxes, ratio, (depth) => this.top(depth) - scroller.scrollTop);
    this.place(this.cursor, scene.selected);
  }

  /** Moves the span on its way to the focus. */
  private advance(scene: Scene, now: number): void {
    const goal = spanOf(scene);
    const done = this.zooming ? Math.min(1, Math.max(0, now - this.zooming.since) / ZOOM_MS) : 1;
    if (!this.zooming || done === 1) {
      this.zooming = null;
      this.span = goal;
      return;
    }
    const { from } = this.zooming;
    const way = 1 - (1 - done) ** 3;
    this.span = {
      from: from.from + (goal.from - from.from) * way,
      to: from.to + (goal.to - from.to) * way,
    };
    this.schedule();
  }

  private resize(): void {
    this.fitSheet();
    this.schedule();
  }

  private refont(): void {
    this.painter.forgetFont();
    this.schedule();
  }

  private fitSheet(): void {
    const height = Math.max(this.rows * ROW, this.scroller.clientHeight);
    this.sheet.style.height = `${height}px`;
  }

  // --- where things stand ---------------------------------------------------------------------

  /** y of a row on the sheet. */
  private top(depth: number): number {
    if (this.scene?.orientation === "icicle") return depth * ROW;
    return Math.max(this.rows * ROW, this.scroller.clientHeight) - (depth + 1) * ROW;
  }

  /** The depth at `y` below the top of the scroller. */
  private depthAt(y: number): number {
    const onSheet = y + this.scroller.scrollTop;
    if (this.scene?.orientation === "icicle") return Math.floor(onSheet / ROW);
    const height = Math.max(this.rows * ROW, this.scroller.clientHeight);
    return Math.max(0, Math.ceil((height - onSheet) / ROW) - 1);
  }

  private scrollTo(node: number): void {
    if (!this.scene) return;
    const { scroller } = this;
    const y = this.top(this.scene.tree.depth[node]);
    if (y < scroller.scrollTop) scroller.scrollTop = y - ROW;
    const room = scroller.clientHeight - 3 * ROW;
    if (y > scroller.scrollTop + room) scroller.scrollTop = y - room;
  }

  /** Puts the outline over the node, even where that is too thin to be drawn. */
  private place(outline: HTMLElement, node: number): void {
    const { tree } = this.scene as Scene;
    const scale = this.scroller.clientWidth / (this.span.to - this.span.from);
    const left = Math.max(0, (tree.start[node] - this.span.from) * scale);
    const end = tree.start[node] + tree.total[node];
    const right = Math.min(this.scroller.clientWidth, (end - this.span.from) * scale);
    this.outline(outline, left, right, tree.depth[node]);
  }

  private outline(outline: HTMLElement, left: number, right: number, depth: number): void {
    outline.hidden = right <= left;
    outline.style.transform = `translate(${left}px, ${this.top(depth)}px)`;
    outline.style.width = `${Math.max(3, right - left)}px`;
  }

  // --- hands ----------------------------------------------------------------------------------

  private listen(): void {
    const { scroller } = this;
    const options = { signal: this.life.signal };
    document.fonts.addEventListener("loadingdone", () => this.refont(), options);
    scroller.addEventListener("scroll", () => this.scrolled(), options);
    scroller.addEventListener("pointermove", (event) => this.point(event), options);
    scroller.addEventListener("pointerleave", () => this.leave(), options);
    scroller.addEventListener("click", (event) => this.click(event), options);
    scroller.addEventListener("keydown", (event) => this.key(event), options);
  }

  private scrolled(): void {
    this.leave();
    this.schedule();
  }

  private leave(): void {
    this.hover.hidden = true;
    this.tooltip.hide();
  }

  private boxUnder(event: MouseEvent): number {
    const { left, top } = this.scroller.getBoundingClientRect();
    return boxAt(this.boxes, event.clientX - left, this.depthAt(event.clientY - top));
  }

  private point(event: MouseEvent): void {
    const i = this.boxUnder(event);
    if (i < 0 || !this.scene || this.zooming) {
      this.leave();
      return;
    }
    const { left, right, depth } = this.boxes;
    this.outline(this.hover, left[i], right[i], depth[i]);
    this.tooltip.show(describeBox(this.scene, this.boxes, i), event.clientX, event.clientY);
  }

  private click(event: MouseEvent): void {
    const i = this.boxUnder(event);
    if (i < 0 || !this.scene) return;
    const node = this.boxes.node[i];
    // A finger has no hover: the first tap tells what the second zooms to.
    const touch = (event as PointerEvent).pointerType === "touch";
    if (touch && node !== this.scene.selected) {
      this.point(event);
      this.listener.select(node);
    } else this.listener.focus(this.boxes.kind[i] === THIN ? this.wayInto(node) : node);
  }

  /** Markers grow with their parent; where that has the whole width, with their first node. */
  private wayInto(node: number): number {
    const { tree, focus } = this.scene as Scene;
    return tree.parent[node] === focus ? node : tree.parent[node];
  }

  private key(event: KeyboardEvent): void {
    if (!this.scene || event.ctrlKey || event.metaKey || event.altKey) return;
    const { tree, focus, selected, orientation } = this.scene;
    const down: Step = orientation === "icicle" ? "child" : "parent";
    const up: Step = orientation === "icicle" ? "parent" : "child";
    const steps: Record<string, Step> = {
      ...{ ArrowDown: down, ArrowUp: up, ArrowLeft: "previous", ArrowRight: "next" },
    };
    if (event.key === "Enter") this.listener.focus(selected);
    else if (event.key === "Escape") this.listener.focus(ROOT);
    else if (event.key === "Home") this.listener.select(focus);
    else if (steps[event.key]) this.listener.select(step(tree, selected, steps[event.key]));
    else return;
    event.preventDefault();
  }
}

/** As the canvas takes it; the shorthand `font` is empty where it cannot say everything. */
function fontOf(element: HTMLElement): string {
  const { fontWeight, fontSize, fontFamily } = getComputedStyle(element);
  return `${fontWeight} ${fontSize} ${fontFamily}`;
}

function spanOf({ tree, focus }: Scene): Span {
  const from = tree.start[focus];
  return { from, to: from + Math.max(tree.total[focus], Number.MIN_VALUE) };
}

/** The largest depth below the focus. */
function deepest({ tree, focus }: Scene): number {
  let depth = tree.depth[focus];
  for (let node = focus; node < tree.end[focus]; node++) depth = Math.max(depth, tree.depth[node]);
  return depth;
}

function element(name: "div", className: string): HTMLDivElement {
  const made = document.createElement(name);
  made.className = className;
  return made;
}
