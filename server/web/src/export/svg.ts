/** The script of the SVG export: a click zooms, a field searches; frames are drawn as groups. */

import { count, share } from "../lib/format";
import { type Boxes, emptyBoxes, FRAME, layOut, UNSENT } from "../lib/layout";
import { shorten } from "../lib/names";
import { compile, type Found, find, foundWithin, matched, valuesOf } from "../lib/search";
import { ancestors, type FrameTree, ROOT } from "../lib/tree";
import { spanOf } from "../lib/view";
import { Matcher } from "../matcher";
import { embedded } from "./embedded";

// As profiler/formats/svg.py draws them.
const [ROW, TOP, SIDE, LETTER, LEAST_PIXELS] = [18, 36, 10, 7.3, 0.5];

declare const MATCHER: { readonly text: string };

const blob = () => URL.createObjectURL(new Blob([MATCHER.text], { type: "text/javascript" }));
const matcher = new Matcher(() => new Worker(blob()));

const root = document.documentElement as unknown as SVGSVGElement;
const group = document.getElementById("frames") as unknown as SVGGElement;
const width = root.viewBox.baseVal.width - 2 * SIDE;

function element(name: string, attributes: Record<string, string | number>, text = ""): SVGElement {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.textContent = text;
  return made;
}

class Picture {
  private focus = ROOT;
  private found: Found | null = null;
  private readonly boxes = emptyBoxes();

  constructor(private readonly tree: FrameTree) {
    group.addEventListener("click", ({ target }) => {
      const node = (target as Element).closest("g")?.getAttribute("data-node");
      if (node) this.zoom(Number(node));
    });
  }

  zoom(node: number): void {
    this.focus = node;
    this.draw();
  }

  mark(found: Found | null): void {
    this.found = found;
    this.draw();
  }

  private draw(): void {
    const { tree, boxes } = this;
    const span = spanOf(tree, this.focus, "");
    layOut(tree, { ...span, first: 0, last: tree.maxDepth }, width, LEAST_PIXELS, boxes);
    const above = new Set(ancestors(tree, this.focus).slice(0, -1));
    const groups = Array.from({ length: boxes.count }, (_, i) => this.box(boxes, i, above));
    group.replaceChildren(...groups);
  }

  private box(boxes: Boxes, i: number, above: ReadonlySet<number>): SVGElement {
    const { tree } = this;
    const [node, until] = [boxes.node[i], boxes.until[i]];
    const [left, right] = [boxes.left[i] + SIDE, boxes.right[i] + SIDE];
    const y = TOP + boxes.depth[i] * ROW;
    const isFrame = boxes.kind[i] === FRAME;
    const made = element("g", { class: isFrame && above.has(node) ? "above" : "" });
    made.setAttribute("data-node", String(isFrame ? node : Math.max(tree.parent[node], ROOT)));
    const name = isFrame ? (tree.frames[tree.frame[node]]?.function ?? "total") : "";
    const words = isFrame ? this.words(name, node) : this.hidden(boxes.kind[i], node, until);
    made.append(element("title", {}, words));
    const size = { x: left, y, width: Math.max(right - left - 0.5, 0.3), height: ROW - 1 };
    made.append(element("rect", { class: this.colour(node, until, isFrame), ...size }));
    const text = shorten(name, Math.floor((right - left - 6) / LETTER));
    if (text) made.append(element("text", { x: left + 3, y: y + 13 }, text));
    return made;
  }

  private words(name: string, node: number): string {
    const { tree } = this;
    const part = share(tree.total[node], tree.total[ROOT]);
    return `${name} ${part} ${count(tree.samples[node])} samples`;
  }

  private hidden(kind: number, node: number, until: number): string {
    return kind === UNSENT ? "frames left out" : `${count(until - node)} frames too thin to draw`;
  }

  private colour(node: number, until: number, isFrame: boolean): string {
    if (!isFrame) return this.found && foundWithin(this.found, node, until) ? "found" : "thin";
    const frame = this.tree.frame[node];
    if (frame < 0) return "root";
    return this.found?.frames[frame] ? "found" : this.tree.frames[frame].kind;
  }
}

function addControls(picture: Picture, tree: FrameTree): void {
  const field = document.createElementNS("http://www.w3.org/1999/xhtml", "input");
  const reset = document.createElementNS("http://www.w3.org/1999/xhtml", "button");
  const told = document.createElementNS("http://www.w3.org/1999/xhtml", "output");
  const input = field as HTMLInputElement;
  input.placeholder = "Search: text, /regex/, kind:kernel";
  input.setAttribute("aria-label", "Search frames");
  reset.textContent = "Reset zoom";
  reset.addEventListener("click", () => picture.zoom(ROOT));
  input.addEventListener("input", async () => {
    try {
      const found = await search(tree, input.value);
      picture.mark(found);
      told.textContent = found ? `${share(found.value, tree.total[ROOT])} of the total` : "";
    } catch (error) {
      if ((error as Error).name !== "AbortError") told.textContent = (error as Error).message;
    }
  });
  const place = element("foreignObject", { x: 300, y: 5, width: width - 300, height: 28 });
  place.append(input, reset, told);
  document.getElementById("controls")?.append(place);
}

async function search(tree: FrameTree, text: string): Promise<Found | null> {
  const asked = compile(text);
  if (!asked) return null;
  const { matches } = asked;
  const values = valuesOf(tree.frames, asked);
  const frames =
    matches instanceof RegExp ? await matcher.match(values, matches) : matched(values, matches);
  return find(tree, frames);
}

embedded().then(({ tree }) => {
  const picture = new Picture(tree);
  addControls(picture, tree);
  picture.zoom(ROOT);
});
