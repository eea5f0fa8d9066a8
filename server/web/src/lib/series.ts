/** The timeline as lines: of everything, or one a value of a label, side by side or on each other. */

import type { TimelineAnswer } from "../answers";
import { rate } from "./rate";

export interface Line {
  /** the value of the label; null: of all values without a line of their own */
  readonly value: string | null;
  readonly name: string;
  /** what it is over the range, and in each bucket */
  readonly mean: number;
  readonly rates: readonly number[];
}

const total = (values: readonly number[]): number => values.reduce((sum, each) => sum + each, 0);

/** Rates of `values`, an entry a bucket. */
export const rates = (values: readonly number[], { step, unit }: TimelineAnswer): number[] =>
  values.map((value) => rate(value, step, unit));

/** Largest first, the sum of all others last; none where nothing was grouped. */
export function linesOf(answer: TimelineAnswer): Line[] {
  const mean = (values: readonly number[]) =>
    rate(total(values), answer.to - answer.from, answer.unit);
  const lines = (answer.groups ?? []).map(({ label_value, values }) => ({
    value: label_value as string | null,
    name: label_value || "(none)",
    mean: mean(values),
    rates: rates(values, answer),
  }));
  const { rest } = answer;
  if (!rest?.groups) return lines;
  const others = {
    ...{ value: null, name: `${rest.groups} more` },
    ...{ mean: mean(rest.values), rates: rates(rest.values, answer) },
  };
  return [...lines, others];
}

/** Each line on the ones before it. */
export function stacked(lines: readonly (readonly number[])[]): number[][] {
  const below: number[] = [];
  return lines.map((line) =>
    line.map((value, i) => {
      below[i] = (below[i] ?? 0) + value;
      return below[i];
    }),
  );
}

/** A step a bucket; the last one needs a point that ends it. */
export const steps = (line: readonly number[]): number[] => [...line, line.at(-1) ?? 0];
