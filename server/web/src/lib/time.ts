/** Time ranges as users and URLs write them: `now-15m`, RFC 3339, Unix seconds or milliseconds. */

export class TimeError extends Error {}

export interface Range {
  /** Unix milliseconds, [from, to) */
  readonly from: number;
  readonly to: number;
}

const UNIT_MS: Record<string, number> = {
  ...{ s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 },
};
/** Unix seconds until the year 5138, milliseconds from 1973 on. */
const SECONDS_BELOW = 1e11;

/** Unix milliseconds of `text` when it is `now`; throws TimeError. */
export function parseTime(text: string, now: number): number {
  const trimmed = text.trim();
  const relative = /^now(?:\s*-\s*(\d+(?:\.\d+)?)([smhdw]))?$/.exec(trimmed);
  if (relative) return Math.round(now - Number(relative[1] ?? 0) * (UNIT_MS[relative[2]] ?? 0));
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

/** `21 Nov 10:05 – 10:20`, in the zone of the browser, for people. */
export function describe(range: Range): string {
  const from = new Date(range.from);
  const to = new Date(range.to);
  const seconds = range.to - range.from < 120_000 || range.from % 60_000 !== 0;
  const time = new Intl.DateTimeFormat("en-GB", {
    ...{ hour: "2-digit", minute: "2-digit" },
    ...(seconds ? { second: "2-digit" } : {}),
  });
  const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
  const sameDay = from.toDateString() === to.toDateString();
  const end = sameDay ? time.format(to) : `${day.format(to)} ${time.format(to)}`;
  return `${day.format(from)} ${time.format(from)} – ${end}`;
}
