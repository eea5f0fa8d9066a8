/** By which label the timeline is parted, and whether its lines stand on each other. */

import type { PageState } from "../lib/url";
import { Icon } from "./icons";
import type { Navigate } from "./page_state";

interface Props {
  readonly state: PageState;
  readonly labels: readonly string[];
  readonly navigate: Navigate;
}

export function GroupBy({ state: { by, stack }, labels, navigate }: Props) {
  const names = by && !labels.includes(by) ? [by, ...labels] : labels;
  return (
    <>
      <label class="select small">
        <select
          aria-label="Group by"
          value={by}
          onChange={(event) => navigate({ by: event.currentTarget.value })}
        >
          <option value="">not grouped</option>
          {names.map((name) => (
            <option key={name} value={name}>
              by {name}
            </option>
          ))}
        </select>
        <Icon name="down" />
      </label>
      {by && (
        <button
          type="button"
          class="small"
          aria-pressed={stack}
          title={stack ? "Lines side by side" : "Lines on each other"}
          onClick={() => navigate({ stack: !stack }, "replace")}
        >
          Stacked
        </button>
      )}
    </>
  );
}
