/** What is under the pointer, in words. Built from text nodes: names come from strangers' binaries. */

import { isUnknown } from "../lib/colour";
import { type Difference, signed } from "../lib/difference";
import { count, counted, share, value } from "../lib/format";
import { type Boxes, THIN, UNSENT } from "../lib/layout";
import { type Frame, frameOf, unsent } from "../lib/tree";
import type { Scene } from "./scene";

const GAP = 14; // pixels from the pointer

export class Tooltip {
  private readonly element = document.createElement("div");

  constructor(host: HTMLElement) {
    this.element.className = "flamegraph-tooltip";
    this.element.setAttribute("role", "tooltip");
    this.element.hidden = true;
    host.append(this.element);
  }

  remove(): void {
    this.element.remove();
  }

  hide(): void {
    this.element.hidden = true;
  }

  /** Beside the point (x, y) of the browser's window, wholly within it. */
  show(content: Node[], x: number, y: number): void {
    const { element } = this;
    element.replaceChildren(...content);
    element.hidden = false;
    const { width, height } = element.getBoundingClientRect();
    const left = x + GAP + width > innerWidth ? Math.max(8, x - GAP - width) : x + GAP;
    const below = y + GAP + height > innerHeight ? Math.max(8, y - GAP - height) : y + GAP;
    element.style.transform = `translate(${Math.round(left)}px, ${Math.round(below)}px)`;
  }
}

/** Function, place, kind, and the numbers of the box `i`. */
export function describeBox(scene: Scene, boxes: Boxes, i: number): Node[] {
  const node = boxes.node[i];
  if (boxes.kind[i] === THIN) return describeRun(scene, node, boxes.until[i]);
  if (boxes.kind[i] === UNSENT) {
    return [
      line("title", "Frames beyond the limit of nodes"),
      numbers([["Total", ...amount(scene, unsent(scene.tree, node))]]),
      line("place", "Counted here, but not sent one by one: narrow the selection to see them."),
    ];
  }
  const { tree } = scene;
  const frame = frameOf(tree, node);
  return [
    line("title", frame?.function ?? "Total of all stacks"),
    ...(frame ? places(frame).map((text) => line("place", text)) : []),
    ...(scene.difference ? [compared(scene.difference, node)] : [costs(scene, node)]),
  ];
}

const costs = (scene: Scene, node: number): HTMLElement =>
  numbers([
    ["Self", ...amount(scene, scene.tree.self[node])],
    ["Total", ...amount(scene, scene.tree.total[node])],
    ["Samples", count(scene.tree.samples[node]), ""],
  ]);

function compared({ before, after, change }: Difference, node: number): HTMLElement {
  return numbers([
    ["Before", share(before[node], 1), ""],
    ["After", share(after[node], 1), ""],
    ["Difference", signed(after[node] - before[node], "share"), change[node]],
  ]);
}

function describeRun(scene: Scene, from: number, until: number): Node[] {
  const { tree } = scene;
  let total = 0;
  for (let node = from; node < until; node = tree.end[node]) total += tree.total[node];
  return [
    line("title", `${counted(until - from, "frame")} too thin to draw`),
    scene.difference
      ? line("place", share(total, tree.total[0]))
      : numbers([["Total", ...amount(scene, total)]]),
    line("place", "Click to zoom in."),
  ];
}

const amount = ({ tree, unit }: Scene, n: number): [string, string] => [
  value(n, unit),
  share(n, tree.total[0]),
];

function places(frame: Frame): string[] {
  const file = frame.file && (frame.line ? `${frame.file}:${frame.line}` : frame.file);
  const code = [frame.kind, frame.binary].filter(Boolean).join(" · ");
  const identity = isUnknown(frame) && `build-id ${frame.buildId || "none"} · ${frame.address}`;
  return [file, code, identity].filter((text): text is string => Boolean(text));
}

function line(name: string, text: string): HTMLElement {
  const element = document.createElement("div");
  element.className = `flamegraph-tooltip-${name}`;
  element.textContent = text;
  return element;
}

function numbers(rows: readonly (readonly [string, string, string])[]): HTMLElement {
  const table = document.createElement("table");
  for (const cells of rows) {
    const row = table.insertRow();
    for (const text of cells) row.insertCell().textContent = text;
  }
  return table;
}
