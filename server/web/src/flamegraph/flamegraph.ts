/**
 * An interactive flamegraph in an element of the page. It knows a tree, and nothing of where the
 * tree came from.
 *
 *     const graph = new Flamegraph(element, { focus: zoomTo, select: remember });
 *     graph.show({ tree, unit: "nanoseconds", focus: 0, selected: 0, ... });
 */

import type { Span } from "../lib/detail";
import { boxAt, emptyBoxes, layOut, THIN } from "../lib/layout";
import { ROOT, type Step, step } from "../lib/tree";
import { spanOf, viewOf } from "../lib/view";
import { Gestures } from "./gestures";
import { Painter } from "./painter";
import type { Listener, Scene } from "./scene";
import { ROW, Stage } from "./stage";
import { describeBox, Tooltip } from "./tooltip";
import { Zoom } from "./zoom";

/** Frames narrower than this many CSS pixels become markers. */
const THIN_PIXELS = 1;
/** So long after the last turn of a wheel, the page is told where it led. */
const REST_MS = 150;
/** As high as every browser draws a canvas. */
const MOST_PIXELS = 16384;

export class Flamegraph {
  private readonly stage: Stage;
  private readonly hover;
  private readonly cursor;
  private readonly tooltip: Tooltip;
  private readonly painter: Painter;
  private readonly zoom = new Zoom();
  private readonly boxes = emptyBoxes();
  private readonly life = new AbortController();
  private readonly gestures: Gestures;
  private scene: Scene | null = null;
  private frame = 0;
  private rest = 0;
  /** the view that the page was told of last: when it comes back, it is old news */
  private told = "";

  constructor(
    host: HTMLElement,
    private readonly listener: Listener,
  ) {
    this.stage = new Stage(host, () => this.schedule());
    this.hover = this.stage.addOutline("flamegraph-hover");
    this.cursor = this.stage.addOutline("flamegraph-cursor");
    this.tooltip = new Tooltip(host);
    this.painter = new Painter(this.stage.context, () => fontOf(this.stage.scroller));
    const { scroller } = this.stage;
    this.gestures = new Gestures(scroller, () => this.ground(), this.life.signal);
    this.listen();
  }

  destroy(): void {
    this.life.abort();
    clearTimeout(this.rest);
    cancelAnimationFrame(this.frame);
    this.stage.remove();
    this.tooltip.remove();
  }

  /** Shows another scene; a new focus or view in the same tree is zoomed to. */
  show(scene: Scene): void {
    const before = this.scene;
    this.scene = scene;
    const { tree, focus, selected, orientation } = scene;
    if (before?.tree !== tree || before.focus !== focus) this.leave();
    this.aim(scene, before);
    this.stage.arrange(deepest(scene) + 1, orientation);
    if (before?.orientation !== orientation || before.focus !== focus) {
      this.stage.reveal(tree.depth[focus]);
    } else if (before.selected !== selected) this.stage.reveal(tree.depth[selected]);
    this.schedule();
  }

  /** Where the same values are in view as before, a wheel may be on its way already. */
  private aim(scene: Scene, before: Scene | null): void {
    const span = shown(scene);
    const sameFocus = before?.tree === scene.tree && before.focus === scene.focus;
    if (before && alike(span, shown(before))) return;
    if (sameFocus && scene.view === this.told) return;
    clearTimeout(this.rest);
    this.told = scene.view;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (before?.tree !== scene.tree || calm) this.zoom.jump(span);
    else this.zoom.go(span, performance.now());
  }

  private ground() {
    if (!this.scene) return null;
    const whole = shown({ ...this.scene, view: "" });
    const go = (span: Span, smooth: boolean) => this.go(span, smooth);
    return { span: this.zoom.aim, whole, width: this.stage.width, go };
  }

  private go(span: Span, smooth: boolean): void {
    if (smooth && !matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.zoom.go(span, performance.now());
    } else this.zoom.jump(span);
    this.leave();
    this.schedule();
    clearTimeout(this.rest);
    this.rest = window.setTimeout(() => {
      const { tree, focus } = this.scene as Scene;
      this.told = viewOf(tree, focus, this.zoom.aim);
      this.listener.look(this.told);
    }, REST_MS);
  }

  /** All rows of what is in view, as a PNG. */
  async picture(): Promise<Blob> {
    const scene = this.scene as Scene;
    const last = deepest(scene);
    const { width } = this.stage;
    const ratio = Math.min(devicePixelRatio, MOST_PIXELS / ((last + 1) * ROW));
    const canvas = new OffscreenCanvas(width * ratio, (last + 1) * ROW * ratio);
    const context = canvas.getContext("2d", { alpha: false });
    const boxes = emptyBoxes();
    const depths = { first: 0, last };
    layOut(scene.tree, { ...this.zoom.aim, ...depths }, width, THIN_PIXELS, boxes);
    const top = (depth: number) => (scene.orientation === "icicle" ? depth : last - depth) * ROW;
    const painter = new Painter(context as unknown as CanvasRenderingContext2D, () =>
      fontOf(this.stage.scroller),
    );
    painter.paint(scene, boxes, { ...depths, ratio, top });
    return canvas.convertToBlob({ type: "image/png" });
  }

  private schedule(): void {
    this.frame ||= requestAnimationFrame((now) => {
      this.frame = 0;
      this.draw(now);
    });
  }

  private draw(now: number): void {
    const { scene, stage, boxes } = this;
    if (!scene || stage.width === 0) return;
    const span = this.zoom.at(now);
    const ratio = stage.fitCanvas();
    const depths = stage.depths();
    layOut(scene.tree, { ...span, ...depths }, stage.width, THIN_PIXELS, boxes);
    const scrolled = stage.scrolled;
    const top = (depth: number) => stage.top(depth) - scrolled;
    this.painter.paint(scene, boxes, { ...depths, ratio, top });
    this.placeCursor(scene, span);
    if (this.zoom.moving(now)) this.schedule();
  }

  private placeCursor({ tree, selected }: Scene, { from, to }: Span): void {
    const { width } = this.stage;
    const x = (value: number) =>
      Math.min(width, Math.max(0, ((value - from) * width) / (to - from)));
    const [left, right] = [tree.start[selected], tree.start[selected] + tree.total[selected]];
    this.cursor.show(x(left), x(right), this.stage.top(tree.depth[selected]));
  }

  private listen(): void {
    const { scroller } = this.stage;
    const options = { signal: this.life.signal };
    document.fonts.addEventListener("loadingdone", () => this.refont(), options);
    scroller.addEventListener("scroll", () => this.scroll(), options);
    scroller.addEventListener("pointermove", (event) => this.point(event), options);
    scroller.addEventListener("pointerleave", () => this.leave(), options);
    scroller.addEventListener("click", (event) => this.click(event), options);
    scroller.addEventListener("keydown", (event) => this.key(event), options);
  }

  private refont(): void {
    this.painter.forgetFont();
    this.schedule();
  }

  private scroll(): void {
    this.leave();
    this.schedule();
  }

  private leave(): void {
    this.hover.hide();
    this.tooltip.hide();
  }

  private boxUnder(event: MouseEvent): number {
    const { left, top } = this.stage.scroller.getBoundingClientRect();
    return boxAt(this.boxes, event.clientX - left, this.stage.depthAt(event.clientY - top));
  }

  private point(event: MouseEvent): void {
    const i = this.gestures.dragging && event.buttons ? -1 : this.boxUnder(event);
    if (i < 0 || !this.scene || this.zoom.moving(performance.now())) {
      this.leave();
      return;
    }
    const { left, right, depth } = this.boxes;
    this.hover.show(left[i], right[i], this.stage.top(depth[i]));
    this.tooltip.show(describeBox(this.scene, this.boxes, i), event.clientX, event.clientY);
  }

  private click(event: MouseEvent): void {
    const i = this.gestures.dragging ? -1 : this.boxUnder(event);
    this.gestures.dragging = false;
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

  /** The middle of the selected frame as far as it is in view, else that of the view. */
  private middle(): number {
    const { tree, selected } = this.scene as Scene;
    const { from, to } = this.zoom.aim;
    const left = Math.max(from, tree.start[selected]);
    const right = Math.min(to, tree.start[selected] + tree.total[selected]);
    return left < right ? (left + right) / 2 : (from + to) / 2;
  }

  private key(event: KeyboardEvent): void {
    if (!this.scene || event.ctrlKey || event.metaKey || event.altKey) return;
    const { tree, focus, selected, orientation } = this.scene;
    const [up, down]: Step[] = orientation === "icicle" ? ["parent", "child"] : ["child", "parent"];
    const steps: Record<string, Step> = {
      ...{ ArrowDown: down, ArrowUp: up, ArrowLeft: "previous", ArrowRight: "next" },
    };
    if (event.key === "Enter") this.listener.focus(selected);
    else if (event.key === "Escape") {
      this.gestures.key("0", 0);
      this.listener.focus(ROOT);
    } else if (event.key === "Home") this.listener.select(focus);
    else if (this.gestures.key(event.key, this.middle())) this.leave();
    else if (steps[event.key]) this.listener.select(step(tree, selected, steps[event.key]));
    else return;
    event.preventDefault();
  }
}

const shown = ({ tree, focus, view }: Scene): Span => spanOf(tree, focus, view);

function alike(span: Span, other: Span): boolean {
  const most = (span.to - span.from) * 1e-6;
  return Math.abs(span.from - other.from) <= most && Math.abs(span.to - other.to) <= most;
}

/** The largest depth below the focus. */
function deepest({ tree, focus }: Scene): number {
  let depth = tree.depth[focus];
  for (let node = focus; node < tree.end[focus]; node++) depth = Math.max(depth, tree.depth[node]);
  return depth;
}

/** As the canvas takes it; the shorthand `font` is empty where it cannot say everything. */
function fontOf(element: HTMLElement): string {
  const { fontWeight, fontSize, fontFamily } = getComputedStyle(element);
  return `${fontWeight} ${fontSize} ${fontFamily}`;
}
