/** Use over the range, in cores; dragging over it narrows the range. */

import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import type { TimelineAnswer } from "../api";
import type { Theme } from "../lib/colour";
import { counted, digits } from "../lib/format";
import { axisLabel, type Range } from "../lib/time";

interface Props {
  readonly answer: TimelineAnswer | null;
  readonly range: Range;
  readonly theme: Theme;
  onRange(range: Range): void;
}

const HEIGHT = 104;
/** Shorter drags are clicks. */
const MIN_DRAG = 4;

export function Timeline({ answer, range, theme, onRange }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const [at, setAt] = useState<number | null>(null);
  const listener = useRef(onRange);
  listener.current = onRange;
  const unit = answer?.unit ?? "nanoseconds";

  // colours are read when the theme turns
  useEffect(() => {
    const element = host.current as HTMLDivElement;
    const made = new uPlot(
      options(element, setAt, (chosen) => listener.current(chosen)),
      [[], []],
      element,
    );
    chart.current = made;
    const observer = new ResizeObserver(() =>
      made.setSize({ width: element.clientWidth, height: HEIGHT }),
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [theme]);

  // another theme is another chart
  useEffect(() => {
    const made = chart.current;
    if (!made) return;
    made.setData(answer ? steps(answer) : [[], []], false);
    made.setScale("x", { min: seconds(range.from), max: seconds(range.to) });
  }, [answer, range, theme]);

  return (
    <section class="timeline" aria-label="Timeline">
      <header>
        <span class="label">{unit === "nanoseconds" ? "CPU, in cores" : `${unit} per second`}</span>
        <span class="readout">{answer && readout(answer, at)}</span>
      </header>
      <div class="timeline-chart" ref={host} />
    </section>
  );
}

const seconds = (ms: number): number => ms / 1000;

/** Cores (ns of CPU a ns), or the unit a second; docs/reference/http-api.md, timeline. */
const rates = ({ values, step, unit }: TimelineAnswer): number[] =>
  values.map((value) => value / (unit === "nanoseconds" ? step * 1e6 : step / 1e3));

/** A step a bucket; the last one needs a point that ends it. */
function steps(answer: TimelineAnswer): [number[], number[]] {
  const heights = rates(answer);
  const end = (answer.times.at(-1) ?? answer.from) + answer.step;
  return [[...answer.times, end].map(seconds), [...heights, heights.at(-1) ?? 0]];
}

function readout(answer: TimelineAnswer, at: number | null): string {
  const rate = rates(answer);
  const unit = answer.unit === "nanoseconds" ? "cores" : "/s";
  if (at === null || rate.length === 0) {
    const mean = rate.reduce((sum, each) => sum + each, 0) / Math.max(1, rate.length);
    return `mean ${digits(mean)} · peak ${digits(Math.max(0, ...rate))} ${unit}`;
  }
  const bucket = Math.min(at, rate.length - 1);
  const time = new Date(answer.times[bucket]).toLocaleTimeString("en-GB");
  return `${time} · ${digits(rate[bucket])} ${unit} · ${counted(answer.samples[bucket], "sample")}`;
}

function options(
  element: HTMLElement,
  onCursor: (index: number | null) => void,
  onRange: (range: Range) => void,
): uPlot.Options {
  const axis: uPlot.Axis = {
    stroke: colour(element, "--muted-ink"),
    font: `11px ${getComputedStyle(element).fontFamily}`,
    grid: { stroke: colour(element, "--grid"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    padding: [10, 18, 0, 0],
    legend: { show: false },
    cursor: {
      drag: { x: true, y: false, setScale: false },
      y: false,
      points: { size: 6 },
    },
    scales: { x: { time: true, auto: false }, y: { range: (_, __, max) => [0, max * 1.1 || 1] } },
    axes: [
      {
        ...{ ...axis, size: 24, gap: 4, space: 70, grid: { show: false } },
        values: (chart, ticks) => ticks.map((tick) => axisLabel(tick * 1000, shownRange(chart))),
      },
      { ...axis, size: 40, gap: 6, space: 26, values: (_, ticks) => ticks.map(digitsOrZero) },
    ],
    series: [
      {},
      {
        stroke: colour(element, "--accent"),
        fill: colour(element, "--accent-wash"),
        width: 1.5,
        paths: uPlot.paths.stepped?.({ align: 1 }) as uPlot.Series.PathBuilder,
        points: { show: false },
      },
    ],
    hooks: {
      setCursor: [(chart) => onCursor(chart.cursor.idx ?? null)],
      setSelect: [(chart) => selected(chart, onRange)],
    },
  };
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

const digitsOrZero = (tick: number): string => (tick === 0 ? "0" : String(Number(tick.toFixed(3))));

function selected(chart: uPlot, onRange: (range: Range) => void): void {
  const { left, width } = chart.select;
  if (width < MIN_DRAG) return;
  const ms = (x: number) => Math.round(chart.posToVal(x, "x") * 1000);
  chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  onRange({ from: ms(left), to: ms(left + width) });
}
