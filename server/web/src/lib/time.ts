/** Time ranges as users and URLs write them: `now-15m`, `now-1h30m`, RFC 3339, Unix seconds or milliseconds. */

export class TimeError extends Error {}

export interface Range {
  /** Unix milliseconds, [from, to) */
  readonly from: number;
  readonly to: number;
}

const UNIT_MS: Record<string, number> = {
  ...{ ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 },
};
const PART = /(\d+)(ms|[smhdw])/g;
/** Unix seconds until the year 5138, milliseconds from 1973 on. */
const SECONDS_BELOW = 1e11;

/** Unix milliseconds of `text` when it is `now`; throws TimeError. */
export function parseTime(text: string, now: number): number {
  const trimmed = text.trim();
  if (/^now(-(\d+(ms|[smhdw]))+)?$/.test(trimmed)) {
    const parts = [...trimmed.matchAll(PART)];
    return parts.reduce((time, [, size, unit]) => time - Number(size) * UNIT_MS[unit], now);
  }
  if (/^\d+(\.\d+)?$/.test(trimmed)) {
    const number = Number(trimmed);
    return Math.round(number < SECONDS_BELOW ? number * 1000 : number);
  }
  const parsed = /^\d{4}-\d\d-\d\d/.test(trimmed)
    ? Date.parse(trimmed.replace(" ", "T"))
    : Number.NaN;
  if (Number.isNaN(parsed)) {
    throw new TimeError(`cannot read "${text}" as a time: try now-15m or 2026-01-31T12:00`);
  }
  return parsed;
}

export function parseRange(from: string, to: string, now: number): Range {
  const range = { from: parseTime(from, now), to: parseTime(to, now) };
  if (range.from >= range.to) throw new TimeError(`"${from}" is not before "${to}"`);
  return range;
}

export const isRelative = (text: string): boolean => text.trim().startsWith("now");

/** The range of the same length that ends now: `now-90s`. */
export function lastOf({ from, to }: Range): string {
  const seconds = Math.max(1, Math.round((to - from) / 1000));
  const [unit, size] = (
    [
      ["h", 3600],
      ["m", 60],
    ] as const
  ).find(([, s]) => seconds % s === 0) ?? ["s", 1];
  return `now-${seconds / size}${unit}`;
}

/** RFC 3339 in UTC, without a fraction where there is none. */
export const toText = (ms: number): string => new Date(ms).toISOString().replace(".000Z", "Z");

const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const UTC_DAY = new Intl.DateTimeFormat("en-GB", {
  ...{ day: "numeric", month: "short", timeZone: "UTC" },
});
const clockOf = (seconds: boolean) =>
  new Intl.DateTimeFormat("en-GB", {
    ...{ hour: "2-digit", minute: "2-digit" },
    ...(seconds ? { second: "2-digit" } : {}),
  });

/** A tick of a time axis over `range`: seconds where they differ, the day at midnight. */
export function axisLabel(ms: number, range: Range): string {
  const date = new Date(ms);
  const midnight = date.getHours() + date.getMinutes() + date.getSeconds() === 0;
  if (midnight) return DAY.format(date);
  return clockOf(range.to - range.from < 600_000).format(date);
}

/** `Last 1h`, or the clock of the browser's zone: `21 Nov 10:05 – 10:20`. */
export function describe(from: string, to: string, range: Range | null): string {
  if (isRelative(from) && to === "now") return `Last ${from.trim().replace("now-", "")}`;
  return range && !isRelative(from) ? describeFixed(range) : `${from} – ${to}`;
}

function describeFixed(range: Range): string {
  const from = new Date(range.from);
  const to = new Date(range.to);
  const seconds = range.to - range.from < 120_000 || range.from % 60_000 !== 0;
  const clock = clockOf(seconds);
  const sameDay = from.toDateString() === to.toDateString();
  const end = sameDay ? clock.format(to) : `${DAY.format(to)} ${clock.format(to)}`;
  return `${DAY.format(from)} ${clock.format(from)} – ${end}`;
}

/** `8 Jan`: days of the server's sums are those of UTC. */
export const day = (ms: number): string => UTC_DAY.format(new Date(ms));

/** `8 Jan 06:00`, in the browser's zone. */
export const moment = (ms: number): string =>
  `${DAY.format(new Date(ms))} ${clockOf(false).format(new Date(ms))}`;

/** `just now`, `12 min ago`, `6 h ago`, `3 d ago`. */
export function ago(ms: number): string {
  if (ms < 60_000) return "just now";
  const [unit, size] =
    ms < 3_600_000 ? ["min", 60_000] : ms < 172_800_000 ? ["h", 3_600_000] : ["d", 86_400_000];
  return `${Math.floor(ms / Number(size))} ${unit} ago`;
}
