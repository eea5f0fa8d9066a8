/** Numbers for people: three significant digits, units that fit, shares that never lie to 0 or 100. */

const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

export const count = (n: number): string => WHOLE.format(n);

/** `1 host`, `2 hosts`, `2 series`. */
export const counted = (n: number, one: string, many = `${one}s`): string =>
  `${count(n)} ${n === 1 ? one : many}`;

/** Two or three digits, as `0.00031`, `0.012`, `0.12`, `1.24`, `12.4`, `124`, `1,240`. */
export function digits(n: number): string {
  const size = Math.abs(n);
  if (size === 0 || size >= 99.95) return WHOLE.format(n);
  if (size < 0.00995) return n.toPrecision(2);
  return n.toFixed(size < 0.0995 ? 3 : size < 9.995 ? 2 : 1);
}

/** Up to 100 of a unit before the next one: 90 s reads better than 1.5 min. */
const TIMES: readonly (readonly [string, number, number])[] = [
  ["ns", 1, 1e3],
  ["µs", 1e3, 1e6],
  ["ms", 1e6, 1e9],
  ["s", 1e9, 1e11],
  ["min", 6e10, 6e12],
  ["h", 3.6e12, 3.6e14],
  ["d", 8.64e13, Number.POSITIVE_INFINITY],
];

export function duration(ns: number): string {
  if (ns === 0) return "0 s";
  const [unit, size] = TIMES.find(([, , below]) => Math.abs(ns) < below) ?? TIMES[TIMES.length - 1];
  return unit === "ns" ? `${WHOLE.format(ns)} ns` : `${digits(ns / size)} ${unit}`;
}

/** A value in the unit of its profile type. */
export const value = (n: number, unit: string): string =>
  unit === "nanoseconds" ? duration(n) : unit === "count" ? count(n) : `${count(n)} ${unit}`;

/** `42.1%`; what is neither nothing nor everything never reads 0% or 100%. */
export function share(part: number, whole: number): string {
  if (whole <= 0 || part <= 0) return "0%";
  const percent = (100 * part) / whole;
  if (part >= whole) return "100%";
  if (percent < 0.01) return "<0.01%";
  if (percent >= 99.995) return ">99.99%";
  return `${percent.toFixed(percent < 9.995 || percent >= 99.95 ? 2 : 1)}%`;
}

/** The last part of a path: `/usr/lib/libc.so.6` is `libc.so.6`. */
export const basename = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
