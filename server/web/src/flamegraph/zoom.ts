/** The values across the width, and their way from one zoom to the next. */

import type { Span } from "../lib/detail";

const ZOOM_MS = 180;

export class Zoom {
  private start: Span = { from: 0, to: 1 };
  private goal: Span = this.start;
  /** 0: at the goal */
  private since = 0;

  jump(goal: Span): void {
    this.goal = goal;
    this.since = 0;
  }

  /** Sets out for `goal` at `now`, milliseconds as performance.now() has them. */
  go(goal: Span, now: number): void {
    this.start = this.at(now);
    this.goal = goal;
    this.since = now;
  }

  /** Where it stands or is on its way to. */
  get aim(): Span {
    return this.goal;
  }

  moving(now: number): boolean {
    return this.since !== 0 && now - this.since < ZOOM_MS;
  }

  at(now: number): Span {
    if (!this.moving(now)) return this.goal;
    const way = 1 - (1 - Math.max(0, now - this.since) / ZOOM_MS) ** 3; // slows down at the end
    return {
      from: this.start.from + (this.goal.from - this.start.from) * way,
      to: this.start.to + (this.goal.to - this.start.to) * way,
    };
  }
}
