/** What a value is a unit of time: CPU time is cores, waiting is threads, events are so many a second. */

import { digits } from "./format";

export interface Rate {
  /** what it is, as a heading */
  readonly title: string;
  /** behind a number; "" where it stands in the title */
  readonly unit: string;
}

const TIMES: Record<string, Rate> = {
  off_cpu: { title: "Off CPU, in threads", unit: "threads" },
  wall: { title: "Wall clock, in threads", unit: "threads" },
};
const CORES: Rate = { title: "CPU, in cores", unit: "cores" };

export const rateOf = (type: string, unit: string): Rate =>
  unit === "nanoseconds"
    ? (TIMES[type] ?? CORES)
    : { title: `${heading(type)} a second`, unit: "/s" };

const heading = (type: string): string =>
  type.charAt(0).toUpperCase() + type.slice(1).replaceAll("_", " ");

/** `value` over so many milliseconds: nanoseconds a nanosecond, or events a second. */
export const rate = (value: number, ms: number, unit: string): number =>
  value / (unit === "nanoseconds" ? ms * 1e6 : ms / 1e3);

/** `+0.31`, `−0.31`, `0`: with its sign, a true minus. */
export const signed = (n: number): string =>
  n === 0 ? "0" : `${n < 0 ? "−" : "+"}${digits(Math.abs(n))}`;

/** `+450%`, `new` where there was nothing; "" where both are nothing. */
export function change(before: number, now: number): string {
  if (before === 0) return now === 0 ? "" : "new";
  const percent = (100 * (now - before)) / before;
  const tenths = Math.round(percent * 10) / 10;
  return tenths === 0 && now !== before ? "<0.1%" : `${signed(tenths)}%`;
}
