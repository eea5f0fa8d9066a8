/**
 * An interactive flamegraph in an element of the page. It knows a tree, and nothing of where the
 * tree came from.
 *
 *     const graph = new Flamegraph(element, { focus: zoomTo, select: remember });
 *     graph.show({ tree, unit: "nanoseconds", focus: 0, selected: 0, ... });
 */

import { boxAt, emptyBoxes, layOut, THIN } from "../lib/layout";
import { ROOT, type Step, step } from "../lib/tree";
import { Painter } from "./painter";
import type { Listener, Scene } from "./scene";
import { Stage } from "./stage";
import { describeBox, Tooltip } from "./tooltip";
import { type Span, Zoom } from "./zoom";

/** Frames narrower than this many CSS pixels become markers. */
const THIN_PIXELS = 1;

export class Flamegraph {
  private readonly stage: Stage;
  private readonly hover;
  private readonly cursor;
  private readonly tooltip: Tooltip;
  private readonly painter: Painter;
  private readonly zoom = new Zoom();
  private readonly boxes = emptyBoxes();
  private readonly life = new AbortController();
  private scene: Scene | null = null;
  private frame = 0;

  constructor(
    host: HTMLElement,
    private readonly listener: Listener,
  ) {
    this.stage = new Stage(host, () => this.schedule());
    this.hover = this.stage.addOutline("flamegraph-hover");
    this.cursor = this.stage.addOutline("flamegraph-cursor");
    this.tooltip = new Tooltip(host);
    this.painter = new Painter(this.stage.context, () => fontOf(this.stage.scroller));
    this.listen();
  }

  destroy(): void {
    this.life.abort();
    cancelAnimationFrame(this.frame);
    this.stage.remove();
    this.tooltip.remove();
  }

  /** Shows another scene; a new focus in the same tree is zoomed to. */
  show(scene: Scene): void {
    const before = this.scene;
    this.scene = scene;
    const { tree, focus, selected, orientation } = scene;
    if (before?.tree !== tree || before.focus !== focus) {
      const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
      if (before?.tree !== tree || calm) this.zoom.jump(spanOf(scene));
      else this.zoom.go(spanOf(scene), performance.now());
      this.leave();
    }
    this.stage.arrange(deepest(scene) + 1, orientation);
    if (before?.orientation !== orientation || before.focus !== focus) {
      this.stage.reveal(tree.depth[focus]);
    } else if (before.selected !== selected) this.stage.reveal(tree.depth[selected]);
    this.schedule();
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
    const i = this.boxUnder(event);
    if (i < 0 || !this.scene || this.zoom.moving(performance.now())) {
      this.leave();
      return;
    }
    const { left, right, depth } = this.boxes;
    this.hover.show(left[i], right[i], this.stage.top(depth[i]));
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
    const [up, down]: Step[] = orientation === "icicle" ? ["parent", "child"] : ["child", "parent"];
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

/** As the canvas takes it; the shorthand `font` is empty where it cannot say everything. */
function fontOf(element: HTMLElement): string {
  const { fontWeight, fontSize, fontFamily } = getComputedStyle(element);
  return `${fontWeight} ${fontSize} ${fontFamily}`;
}
