/**
 * Wheel, drag and keys, as the spans to which they lead. The wheel alone scrolls, as everywhere; with
 * Ctrl (which is what a pinch on a touchpad sends) it zooms at the pointer, with Shift it moves across.
 */

import type { Span } from "../lib/detail";
import { panned, zoomed } from "../lib/view";

/** What gestures move: a span of values, within the whole, on so many pixels. */
export interface Ground {
  readonly span: Span;
  readonly whole: Span;
  readonly width: number;
  /** `smooth`: with a way to it, as a key wants it and a wheel does not */
  go(span: Span, smooth: boolean): void;
}

/** A notch of a wheel is 100 to 120: six double or halve the width. */
const WHEEL_DOUBLES = 700;
const LINE_PIXELS = 16;
/** A click of an unsteady hand moves less. */
const DRAG_PIXELS = 4;
const KEY_ZOOM = 2;
const KEY_PAN = 0.25;

export class Gestures {
  private from: { x: number; y: number; span: Span; top: number } | null = null;
  /** Whether the button is down and the pointer has moved: then a click is none. */
  dragging = false;

  constructor(
    private readonly scroller: HTMLElement,
    private readonly ground: () => Ground | null,
    signal: AbortSignal,
  ) {
    scroller.addEventListener("wheel", (event) => this.wheel(event), { signal, passive: false });
    scroller.addEventListener("pointerdown", (event) => this.press(event), { signal });
    scroller.addEventListener("pointermove", (event) => this.drag(event), { signal });
    for (const end of ["pointerup", "pointercancel"] as const) {
      scroller.addEventListener(end, () => this.release(), { signal });
    }
  }

  private wheel(event: WheelEvent): void {
    const ground = this.ground();
    const across = event.shiftKey ? event.deltaX || event.deltaY : event.deltaX;
    if (!ground || (!event.ctrlKey && !event.metaKey && across === 0)) return;
    event.preventDefault();
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PIXELS : 1;
    const { span, whole, width } = ground;
    if (event.ctrlKey || event.metaKey) {
      const x = event.clientX - this.scroller.getBoundingClientRect().left;
      const around = span.from + ((span.to - span.from) * x) / width;
      ground.go(zoomed(span, 2 ** ((event.deltaY * unit) / WHEEL_DOUBLES), around, whole), false);
    } else ground.go(panned(span, (across * unit) / width, whole), false);
  }

  private press({ button, clientX, clientY }: PointerEvent): void {
    const ground = this.ground();
    this.dragging = false;
    if (button !== 0 || !ground) return;
    this.from = { x: clientX, y: clientY, span: ground.span, top: this.scroller.scrollTop };
  }

  private drag(event: PointerEvent): void {
    const [from, ground] = [this.from, this.ground()];
    if (!from || !ground) return;
    const [right, down] = [event.clientX - from.x, event.clientY - from.y];
    if (!this.dragging) {
      if (Math.hypot(right, down) < DRAG_PIXELS) return;
      this.dragging = true;
      this.scroller.setPointerCapture(event.pointerId);
    }
    ground.go(panned(from.span, -right / ground.width, ground.whole), false);
    if (event.pointerType === "mouse") this.scroller.scrollTop = from.top - down;
  }

  private release(): void {
    this.from = null;
  }

  /** Whether the key is one of these; `around` keeps its place. */
  key(key: string, around: number): boolean {
    const ground = this.ground();
    if (!ground) return false;
    const { span, whole } = ground;
    const spans: Record<string, () => Span> = {
      "+": () => zoomed(span, 1 / KEY_ZOOM, around, whole),
      "-": () => zoomed(span, KEY_ZOOM, around, whole),
      a: () => panned(span, -KEY_PAN, whole),
      d: () => panned(span, KEY_PAN, whole),
      "0": () => whole,
    };
    const lead = spans[{ "=": "+", w: "+", _: "-", s: "-" }[key] ?? key];
    if (lead) ground.go(lead(), true);
    return lead !== undefined;
  }
}
