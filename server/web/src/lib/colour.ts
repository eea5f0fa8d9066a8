/**
 * Colours of frames. Hue says the kind or the binary, the shade (from the name) keeps neighbours
 * apart, and the lightness is one per theme, so that text on any frame has AA contrast: colours
 * are mixed in OKLCH, where equal lightness looks equal.
 */

import { basename } from "./format";
import { packageOf } from "./names";
import type { Frame, Kind } from "./tree";

export type Colouring = "kind" | "package" | "binary" | "share";
export type Palette = "usual" | "safe";
export type Theme = "light" | "dark";

/** Degrees of hue and chroma. */
const KINDS: Record<Kind, readonly [hue: number, chroma: number]> = {
  native: [75, 0.12],
  kernel: [25, 0.13],
  python: [250, 0.1],
  jit: [155, 0.1],
  thread: [260, 0.015],
  marker: [320, 0.02],
};
const UNKNOWN = [75, 0.03] as const;
const HUES = 24;
const SHADES = 4;
/** Lightness of the first shade, and the way to the next. */
const LIGHTNESS: Record<Theme, readonly [number, number]> = {
  light: [0.88, -0.028],
  dark: [0.47, -0.024],
};

/**
 * The same for eyes that do not tell red from green: blue and yellow alone, and their lightness, as
 * steps to the dark.
 */
const SAFE_KINDS: Record<Kind, readonly [hue: number, chroma: number, steps: number]> = {
  native: [90, 0.12, 0],
  kernel: [70, 0.13, 5],
  python: [250, 0.09, 1],
  jit: [255, 0.13, 6],
  thread: [260, 0.015, 0],
  marker: [320, 0.02, 3],
};
const SAFE_HUES = [90, 250];
const SAFE_STEPS = 7;

export const isUnknown = (frame: Frame): boolean => frame.function.startsWith("[unknown]");

/** What a frame is coloured by: its kind, or the name of its binary. */
export function group(frame: Frame, colouring: Colouring): string {
  if (isUnknown(frame) && colouring === "kind") return "unknown";
  if (frame.kind === "thread" || frame.kind === "marker") return frame.kind;
  if (colouring === "package") return packageOf(frame) || frame.kind;
  return colouring === "binary" && frame.binary ? basename(frame.binary) : frame.kind;
}

function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return (value ^ (value >>> 15)) >>> 0;
}

/** Thousands of frames have few colours, and each takes microseconds to mix. */
const mixed = new Map<string, string>();
const MOST_MIXED = 10_000;

/** CSS colour of a group; shade 0 is the one for legends. */
export function groupColour(
  name: string,
  theme: Theme,
  palette: Palette = "usual",
  shade = 0,
): string {
  const key = `${theme} ${palette} ${shade} ${name}`;
  const known = mixed.get(key);
  if (known) return known;
  if (mixed.size >= MOST_MIXED) mixed.clear();
  const colour = mix(name, theme, palette, shade);
  mixed.set(key, colour);
  return colour;
}

function mix(name: string, theme: Theme, palette: Palette, shade: number): string {
  if (palette === "safe") return safeColour(name, theme);
  const [hue, chroma] =
    name === "unknown"
      ? UNKNOWN
      : (KINDS[name as Kind] ?? [(hash(name) % HUES) * (360 / HUES), 0.1]);
  const [lightness, step] = LIGHTNESS[theme];
  return oklch(lightness + step * shade, chroma, hue);
}

function safeColour(name: string, theme: Theme): string {
  const number = hash(name);
  const hue = SAFE_HUES[number % SAFE_HUES.length];
  const [h, chroma, steps] = SAFE_KINDS[name as Kind] ?? [hue, 0.11, (number >>> 4) % SAFE_STEPS];
  const [lightness, step] = LIGHTNESS[theme];
  return oklch(lightness + step * steps, name === "unknown" ? 0.02 : chroma, h);
}

export const frameColour = (
  frame: Frame,
  colouring: Colouring,
  theme: Theme,
  palette: Palette = "usual",
): string => groupColour(group(frame, colouring), theme, palette, hash(frame.function) % SHADES);

/** From nothing to everything; of one hue, so that lightness alone tells. */
export function shareColours(theme: Theme): string[] {
  return Array.from({ length: 16 }, (_, i) =>
    theme === "light"
      ? oklch(0.97 - i * 0.016, 0.02 + i * 0.009, 75)
      : oklch(0.3 + i * 0.015, 0.01 + i * 0.007, 75),
  );
}

/** Which of them: every step is a share 1.6 times as large, from a thousandth on. */
export const shareStep = (share: number): number =>
  Math.max(0, Math.min(15, Math.round(15 + Math.log(share) / Math.log(1.6))));

/** sRGB `#rrggbb` of an OKLCH colour; B. Ottosson, "A perceptual color space", 2020. */
export function oklch(lightness: number, chroma: number, hue: number): string {
  const a = chroma * Math.cos((hue * Math.PI) / 180);
  const b = chroma * Math.sin((hue * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return `#${[
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ]
    .map((linear) => channel(linear).toString(16).padStart(2, "0"))
    .join("")}`;
}

function channel(linear: number): number {
  const clipped = Math.min(1, Math.max(0, linear));
  const gamma = clipped <= 0.0031308 ? 12.92 * clipped : 1.055 * clipped ** (1 / 2.4) - 0.055;
  return Math.round(255 * gamma);
}
