/** Parts of a whole: a name, a bar, its share, and one more number. */

import type { ComponentChildren } from "preact";
import { share } from "../lib/format";

export interface Bar {
  readonly key: string;
  readonly name: ComponentChildren;
  readonly part: number;
  /** of which it is a share */
  readonly whole: number;
  readonly note: string;
  readonly title: string;
}

export function Bars({ label, bars }: { label: string; bars: readonly Bar[] }) {
  const widest = Math.max(...bars.map(({ part, whole }) => part / (whole || 1)), 0);
  return (
    <ul class="bars" aria-label={label}>
      {bars.map(({ key, name, part, whole, note, title }) => (
        <li key={key} title={title}>
          <span class="bars-name">{name}</span>
          <span class="bars-share">{share(part, whole)}</span>
          <span class="bars-note">{note}</span>
          <span class="bar">
            <span style={{ width: `${(100 * part) / (whole || 1) / (widest || 1)}%` }} />
          </span>
        </li>
      ))}
    </ul>
  );
}
