/** What a function cost on each of 90 days, where its level changed, and after which deploy. */

import type { Selection, TrendAnswer, TrendChange, TrendLine } from "../answers";
import { getTrend } from "../api";
import { count, digits, share } from "../lib/format";
import { change, rate, rateOf } from "../lib/rate";
import { parse } from "../lib/selector";
import { day, moment } from "../lib/time";
import type { PageState } from "../lib/url";
import { useAnswer } from "./answer";

interface Props {
  readonly selection: Selection;
  readonly state: PageState;
}

const HOUR_MS = 3_600_000;
/** Of what a day differs by, fewer tell nothing: docs/guide/history.md. */
const CLUSTERS = 3;
const WIDTH = 360;
const HEIGHT = 80;

export function History({ selection, state }: Props) {
  const { query, function: name, file, binary, by } = state;
  const hour = Math.floor(selection.to / HOUR_MS);
  const key = name ? JSON.stringify([query, name, file, binary, by, hour]) : null;
  const { value, error } = useAnswer(key, (signal) => getTrend(selection, state, by, signal));
  if (!name)
    return <Hint text="Select a frame or a function: what it cost in 90 days stands here." />;
  if (error) return <Hint text={error.message} />;
  if (!value) return <Hint text="Adding days up…" />;
  const { unit, lines, lines_total, times, step } = value;
  const { unit: per } = rateOf(parse(query)?.type ?? "", unit);
  if (!lines.some((line) => daysOf(line).length > 0))
    return <Hint text="There are no samples of it in these 90 days." />;
  const first = Math.min(...lines.flatMap(daysOf));
  return (
    <div class="sheet history" data-lines={lines.length}>
      <h2>{name}</h2>
      <p class="hint">
        Share of the total on each day; the band is its interval of 95%, by what {value.cluster}s
        differ. Dashed lines are deploys.
      </p>
      {lines.map((line) => (
        <section class="sheet-part" key={`${line.label_value} ${line.file} ${line.binary}`}>
          <h3>
            {by && `${by}=${line.label_value || "(none)"}, `}at most{" "}
            {share(Math.max(...line.share), 1)}
          </h3>
          <Chart answer={value} line={line} first={first} />
          <p class="history-ends muted">
            <span>{day(times[first])}</span>
            <span>{day(times[times.length - 1])}</span>
          </p>
          <ul class="history-changes" aria-label="Changes">
            {line.changes.map((one) => (
              <li key={one.time}>{told(one)}</li>
            ))}
          </ul>
          <details>
            <summary>Days</summary>
            <table class="costs">
              <tbody>
                {daysOf(line).map((i) => (
                  <tr key={times[i]} title={`${count(line.all_samples[i])} samples in all`}>
                    <th scope="row">{day(times[i])}</th>
                    <td class="strong">{share(line.share[i], 1)}</td>
                    <td>{interval(line, i)}</td>
                    <td>
                      {digits(rate(line.total[i], step, unit))} {per}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </details>
        </section>
      ))}
      {lines_total > lines.length && <p class="hint">and {lines_total - lines.length} more</p>}
    </div>
  );
}

const Hint = ({ text }: { readonly text: string }) => <p class="sheet-hint muted">{text}</p>;

/** The days of which there are samples, the newest first. */
const daysOf = ({ all_samples }: TrendLine): number[] =>
  [...all_samples.keys()].filter((i) => all_samples[i] > 0).reverse();

const interval = ({ clusters, low, high }: TrendLine, i: number): string =>
  clusters[i] < CLUSTERS ? "no interval" : `${share(low[i], 1)} to ${share(high[i], 1)}`;

function told({ time, precision, before, after, deploys }: TrendChange): string {
  const when = precision > HOUR_MS ? day(time) : moment(time);
  const came = deploys.map(({ service, version }) => `${service} ${version}`).join(", ");
  const levels = `${share(before, 1)} → ${share(after, 1)} (${change(before, after)})`;
  return `${when}: ${levels}${came && `, after ${came}`}`;
}

interface ChartProps {
  readonly answer: TrendAnswer;
  readonly line: TrendLine;
  /** the day that it begins with */
  readonly first: number;
}

function Chart({ answer: { times, step, deploys }, line, first }: ChartProps) {
  const days = daysOf(line);
  const banded = days.filter((i) => line.clusters[i] >= CLUSTERS);
  const most = Math.max(...days.map((i) => line.share[i]), ...banded.map((i) => line.high[i]));
  const end = times[times.length - 1] + step;
  const start = times[first];
  const x = (time: number) => (WIDTH * (time - start)) / (end - start);
  const y = (part: number) => HEIGHT - (HEIGHT - 2) * (part / (most || 1));
  const wide = x(start + step);
  const at = (time: number) => `M${x(time).toFixed(1)} 0V${HEIGHT}`;
  return (
    <svg class="history-chart" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none">
      <title>{line.changes.length > 0 ? line.changes.map(told).join("; ") : "No change"}</title>
      <path class="history-deploy" d={deploys.map(({ time }) => at(time)).join("")} />
      {banded.map((i) => (
        <rect
          key={times[i]}
          class="history-band"
          {...{ x: x(times[i]), y: y(line.high[i]), width: wide }}
          height={Math.max(1, y(line.low[i]) - y(line.high[i]))}
        />
      ))}
      <path
        class="sparkline-line"
        d={days.map((i) => `M${x(times[i])} ${y(line.share[i])}h${wide}`).join("")}
      />
      <path class="history-change" d={line.changes.map(({ time }) => at(time)).join("")} />
    </svg>
  );
}
