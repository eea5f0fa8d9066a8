/**
 * Colours of lines that mean nothing but "another one". The hues are those of M. Okabe and K. Ito,
 * "Color Universal Design", 2008, which people with any colour vision tell apart, with the
 * lightness that each theme asks for: 3:1 against the ground.
 */

import type { Theme } from "./colour";

const COLOURS: Record<Theme, readonly string[]> = {
  light: [
    ...["#0072b2", "#c77700", "#00876a", "#b8568a", "#3492c9", "#c24e00", "#7d6b00", "#5a4a9c"],
  ],
  dark: ["#4aa3e0", "#f0ad2e", "#2bbd96", "#e08fbd", "#8ccdf5", "#f0803c", "#d8cc62", "#a995e6"],
};

const REST: Record<Theme, string> = { light: "#8b919c", dark: "#7d8490" };

/** As many lines as have a colour of their own. */
export const LINES = COLOURS.light.length;

export const lineColour = (number: number, theme: Theme): string =>
  COLOURS[theme][number] ?? REST[theme];
