/** The lines of the timeline: a click narrows the selector to that value of the label. */

import type { Theme } from "../lib/colour";
import { digits } from "../lib/format";
import { lineColour } from "../lib/palette";
import { format, parse, withMatcher } from "../lib/selector";
import type { Line } from "../lib/series";
import type { PageState } from "../lib/url";
import type { Navigate } from "./page_state";

interface Props {
  /** the label that the lines are values of */
  readonly by: string;
  readonly lines: readonly Line[];
  /** the bucket that is pointed at */
  readonly at: number | null;
  readonly theme: Theme;
  readonly state: PageState;
  readonly navigate: Navigate;
}

export function Legend({ by, lines, at, theme, state: { query }, navigate }: Props) {
  const selector = parse(query);
  const narrow = (value: string) =>
    selector && navigate({ query: format(withMatcher(selector, { name: by, op: "=", value })) });
  if (lines.length === 0) return <span class="timeline-legend" />;
  return (
    <ul class="timeline-legend" aria-label={`Values of ${by}`}>
      {lines.map(({ name, value, mean, rates }, i) => (
        <li key={name}>
          <button
            type="button"
            class="ghost small"
            disabled={value === null || !selector}
            title={value === null ? "" : `Only ${by}=${JSON.stringify(value)}`}
            onClick={() => value !== null && narrow(value)}
          >
            <span
              class="swatch"
              style={{ background: lineColour(value === null ? -1 : i, theme) }}
            />
            {name}
            <span class="timeline-rate">
              {digits(at === null ? mean : (rates[Math.min(at, rates.length - 1)] ?? 0))}
            </span>
          </button>
        </li>
      ))}
    </ul>
  );
}
