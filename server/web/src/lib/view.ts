/**
 * What of a node's width is in view, as text for the URL: `0.25-0.5` is its second quarter, "" all of
 * it. Shares, and not values, so that a link keeps its view when the data under it grows.
 */

import type { Span } from "./detail";
import type { FrameTree } from "./tree";

const DIGITS = 12;
/** 2^40: beyond, shares of 12 digits no longer tell neighbours apart. */
const NARROWEST = 2 ** -40;

/** The values in view where `focus` has the whole width. */
export function spanOf(tree: FrameTree, focus: number, view: string): Span {
  const [left, right] = shares(view);
  const start = tree.start[focus];
  const total = Math.max(tree.total[focus], Number.MIN_VALUE);
  return { from: start + left * total, to: start + right * total };
}

/** What `spanOf` reads again. */
export function viewOf(tree: FrameTree, focus: number, { from, to }: Span): string {
  const [start, total] = [tree.start[focus], tree.total[focus]];
  if (from <= start && to >= start + total) return "";
  const share = (value: number) => String(Number(((value - start) / total).toPrecision(DIGITS)));
  return `${share(from)}-${share(to)}`;
}

function shares(view: string): [number, number] {
  const [left, right] = view.split(/(?<!e)-/).map(Number);
  const fits = left >= 0 && right <= 1 && right - left >= NARROWEST;
  return fits ? [left, right] : [0, 1];
}

/** `span` by a factor wider, where the value `around` keeps its place; it stays within `whole`. */
export function zoomed(span: Span, factor: number, around: number, whole: Span): Span {
  const most = whole.to - whole.from;
  const wide = (span.to - span.from) * factor;
  const width = Math.min(most, Math.max(wide, most * NARROWEST));
  const from = around - ((around - span.from) * width) / (span.to - span.from);
  return within({ from, to: from + width }, whole);
}

/** `span` moved to the right by `by` of its width. */
export function panned(span: Span, by: number, whole: Span): Span {
  const way = (span.to - span.from) * by;
  return within({ from: span.from + way, to: span.to + way }, whole);
}

function within({ from, to }: Span, whole: Span): Span {
  const way = Math.max(whole.from - from, 0) + Math.min(whole.to - to, 0);
  return { from: Math.max(whole.from, from + way), to: Math.min(whole.to, to + way) };
}
