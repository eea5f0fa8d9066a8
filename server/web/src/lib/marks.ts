/** Deploys as marks over a range: those that no screen could tell apart stand in one. */

import type { Deploy } from "../answers";
import type { Range } from "./time";

export interface Mark {
  /** share of the range's length */
  readonly at: number;
  readonly deploys: readonly Deploy[];
}

/** Of a phone's screen, the width of a fingertip is a twentieth; of a desk's, a mark's is this. */
const APART = 0.01;

/** In the order of time; `deploys` are in any. */
export function marksOf(deploys: readonly Deploy[], { from, to }: Range): Mark[] {
  const marks: { at: number; deploys: Deploy[] }[] = [];
  for (const deploy of [...deploys].sort((a, b) => a.time - b.time)) {
    const at = (deploy.time - from) / (to - from);
    if (at < 0 || at > 1) continue;
    const last = marks.at(-1);
    if (last && at - last.at < APART) last.deploys.push(deploy);
    else marks.push({ at, deploys: [deploy] });
  }
  return marks;
}
