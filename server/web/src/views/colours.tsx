/** What the colours of the flamegraph mean, the busiest first. */

import { useMemo } from "preact/hooks";
import { group, groupColour, type Theme } from "../lib/colour";
import type { FrameTree } from "../lib/tree";
import type { PageState } from "../lib/url";

const LEGEND = 6;

interface Props {
  readonly tree: FrameTree;
  readonly state: PageState;
  readonly theme: Theme;
}

export function Colours({ tree, state: { colour, palette }, theme }: Props) {
  const names = useMemo(() => groupsBySelf(tree, colour), [tree, colour]);
  return (
    <ul class="legend" aria-label="Colours">
      {names.slice(0, LEGEND).map((name) => (
        <li key={name}>
          <span class="swatch" style={{ background: groupColour(name, theme, palette) }} />
          {name}
        </li>
      ))}
      {names.length > LEGEND && <li>+{names.length - LEGEND}</li>}
    </ul>
  );
}

/** Groups of frames, the busiest first. */
function groupsBySelf(tree: FrameTree, colour: PageState["colour"]): string[] {
  const self = new Float64Array(tree.frames.length);
  for (let node = 1; node < tree.count; node++) self[tree.frame[node]] += tree.self[node];
  const sums = new Map<string, number>();
  tree.frames.forEach((frame, i) => {
    const name = group(frame, colour);
    sums.set(name, (sums.get(name) ?? 0) + self[i]);
  });
  return [...sums].sort((a, b) => b[1] - a[1]).map(([name]) => name);
}
