/** Use over the range, of everything or by the values of a label, with the deploys in it. */

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type uPlot from "uplot";
import type { Deploy, TimelineAnswer } from "../answers";
import type { Theme } from "../lib/colour";
import { counted, digits } from "../lib/format";
import { rateOf } from "../lib/rate";
import { parse } from "../lib/selector";
import { linesOf, rates } from "../lib/series";
import { type Range, toText } from "../lib/time";
import type { PageState } from "../lib/url";
import { chartData, HEIGHT, type Look, makeChart } from "./chart";
import { GroupBy } from "./group_by";
import { Legend } from "./legend";
import { Marks } from "./marks";
import type { Navigate } from "./page_state";

interface Props {
  readonly answer: TimelineAnswer | null;
  readonly range: Range;
  readonly theme: Theme;
  readonly state: PageState;
  readonly labels: readonly string[];
  readonly deploys: readonly Deploy[];
  readonly navigate: Navigate;
}

export function Timeline({ answer, range, theme, state, labels, deploys, navigate }: Props) {
  const [at, setAt] = useState<number | null>(null);
  const lines = useMemo(() => (answer ? linesOf(answer) : []), [answer]);
  const { host } = useChart({ answer, range, lines, stack: state.stack, theme }, setAt, (chosen) =>
    navigate({ from: toText(chosen.from), to: toText(chosen.to), live: false }),
  );
  const { title, unit } = rateOf(parse(state.query)?.type ?? "", answer?.unit ?? "nanoseconds");
  return (
    <section class="timeline" aria-label="Timeline">
      <header>
        <span class="label">{title}</span>
        <GroupBy state={state} labels={labels} navigate={navigate} />
        <Legend by={answer?.by ?? ""} {...{ lines, at, theme, state, navigate }} />
        <span class="readout">{answer && readout(answer, at, unit)}</span>
      </header>
      <div class="timeline-chart">
        <div ref={host} />
        <Marks {...{ deploys, range, state, navigate }} />
      </div>
    </section>
  );
}

interface Drawn extends Look {
  readonly answer: TimelineAnswer | null;
  readonly range: Range;
}

/** A chart that is made anew when it has other lines, and else only told its numbers. */
function useChart(
  { answer, range, lines, stack, theme }: Drawn,
  onCursor: (index: number | null) => void,
  onRange: (range: Range) => void,
) {
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const heard = useRef(onRange);
  heard.current = onRange;
  const names = lines.map(({ name }) => name).join("\0");
  const look = useMemo<Look>(() => ({ lines, stack, theme }), [lines, stack, theme]);

  useEffect(() => {
    const element = host.current as HTMLDivElement;
    const made = makeChart(element, look, {
      cursor: onCursor,
      range: (range) => heard.current(range),
    });
    chart.current = made;
    const observer = new ResizeObserver(() =>
      made.setSize({ width: element.clientWidth, height: HEIGHT }),
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [names, stack, theme]);

  useEffect(() => {
    const made = chart.current;
    if (!made) return;
    made.setData(answer ? chartData(answer, look) : [[], []], false);
    made.setScale("x", { min: range.from / 1000, max: range.to / 1000 });
  }, [answer, range, look]);

  return { host };
}

function readout(answer: TimelineAnswer, at: number | null, unit: string): string {
  const all = rates(answer.values, answer);
  if (at === null || all.length === 0) {
    const mean = all.reduce((sum, each) => sum + each, 0) / Math.max(1, all.length);
    return `mean ${digits(mean)} · peak ${digits(Math.max(0, ...all))} ${unit}`;
  }
  const bucket = Math.min(at, all.length - 1);
  const time = new Date(answer.times[bucket]).toLocaleTimeString("en-GB");
  return `${time} · ${digits(all[bucket])} ${unit} · ${counted(answer.samples[bucket], "sample")}`;
}
