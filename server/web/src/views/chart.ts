/** The chart of the timeline: uPlot with our lines and colours; dragging over it narrows the range. */

import uPlot from "uplot";
import type { TimelineAnswer } from "../answers";
import type { Theme } from "../lib/colour";
import { lineColour } from "../lib/palette";
import { type Line, rates, stacked, steps } from "../lib/series";
import { axisLabel, type Range } from "../lib/time";

export const HEIGHT = 104;
/** Shorter drags are clicks. */
const MIN_DRAG = 4;

export interface Look {
  readonly lines: readonly Line[];
  readonly stack: boolean;
  readonly theme: Theme;
}

export interface Heard {
  /** the bucket under the pointer */
  cursor(index: number | null): void;
  range(range: Range): void;
}

export function makeChart(element: HTMLElement, look: Look, heard: Heard): uPlot {
  return new uPlot(options(element, look, heard), [[]], element);
}

const seconds = (ms: number): number => ms / 1000;

/** What `makeChart` with the same look draws. Stacks are painted from the highest down. */
export function chartData(answer: TimelineAnswer, { lines, stack }: Look): uPlot.AlignedData {
  const end = (answer.times.at(-1) ?? answer.from) + answer.step;
  const times = [...answer.times, end].map(seconds);
  const shown = lines.length ? lines.map((line) => line.rates) : [rates(answer.values, answer)];
  const heights = stack ? stacked(shown).reverse() : shown;
  return [times, ...heights.map(steps)];
}

function options(element: HTMLElement, look: Look, heard: Heard): uPlot.Options {
  const axis: uPlot.Axis = {
    stroke: colour(element, "--muted-ink"),
    font: `11px ${getComputedStyle(element).fontFamily}`,
    grid: { stroke: colour(element, "--grid"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    padding: [10, 18, 0, 0], // views/marks.tsx stands over the same area
    legend: { show: false },
    cursor: {
      drag: { x: true, y: false, setScale: false },
      y: false,
      points: { show: look.lines.length === 0, size: 6 },
    },
    scales: { x: { time: true, auto: false }, y: { range: (_, __, max) => [0, max * 1.1 || 1] } },
    axes: [
      {
        ...{ ...axis, size: 24, gap: 4, space: 70, grid: { show: false } },
        values: (chart, ticks) => ticks.map((tick) => axisLabel(tick * 1000, shownRange(chart))),
      },
      {
        ...axis,
        size: 40,
        gap: 6,
        space: 26,
        values: (_, ticks) => ticks.map((tick) => TICK.format(tick)),
      },
    ],
    series: [{}, ...series(element, look)],
    hooks: {
      setCursor: [(chart) => heard.cursor(chart.cursor.idx ?? null)],
      setSelect: [(chart) => selected(chart, (range) => heard.range(range))],
    },
  };
}

function series(element: HTMLElement, { lines, stack, theme }: Look): uPlot.Series[] {
  const paths = uPlot.paths.stepped?.({ align: 1 }) as uPlot.Series.PathBuilder;
  const common = { paths, points: { show: false } };
  if (lines.length === 0) {
    const accent = { stroke: colour(element, "--accent"), fill: colour(element, "--accent-wash") };
    return [{ ...common, ...accent, width: 1.5 }];
  }
  const colours = lines.map(({ value }, i) => lineColour(value === null ? -1 : i, theme));
  if (!stack) return colours.map((stroke) => ({ ...common, stroke, width: 1.5 }));
  const ground = colour(element, "--panel");
  return colours.reverse().map((fill) => ({ ...common, fill, stroke: ground, width: 1 }));
}

/** A colour of the style sheet as the canvas takes it: for a canvas, var() means nothing. */
function colour(element: HTMLElement, name: string): string {
  const probe = element.appendChild(document.createElement("i"));
  probe.style.color = `var(${name})`;
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

const shownRange = ({ scales }: uPlot): Range => ({
  ...{ from: (scales.x.min ?? 0) * 1000, to: (scales.x.max ?? 0) * 1000 },
});

/** `0.025`, `2.5`, `20K`: the axis has room for five characters. */
const TICK = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

function selected(chart: uPlot, onRange: (range: Range) => void): void {
  const { left, width } = chart.select;
  if (width < MIN_DRAG) return;
  const ms = (x: number) => Math.round(chart.posToVal(x, "x") * 1000);
  chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  onRange({ from: ms(left), to: ms(left + width) });
}
