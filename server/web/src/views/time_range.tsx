/** The range: buttons for the usual ones, text for the others, and whether it follows the present. */

import { useState } from "preact/hooks";
import { describe, isRelative, lastOf, parseRange, type Range, toText } from "../lib/time";
import type { PageState } from "../lib/url";
import { serverNow } from "../request";
import { Icon } from "./icons";
import type { Navigate } from "./page_state";
import { Popover } from "./popover";

const QUICK = ["5m", "15m", "1h", "6h", "24h", "7d"];

interface Props {
  readonly state: PageState;
  readonly range: Range | null;
  readonly navigate: Navigate;
}

export function TimeRange({ state, range, navigate }: Props) {
  const { from, to, live } = state;
  const [open, setOpen] = useState(false);
  const isQuick = (length: string) => from === `now-${length}` && to === "now";
  const follow = () => {
    const relative = isRelative(from) && to === "now";
    const catchUp = relative || !range ? {} : { from: lastOf(range), to: "now" };
    navigate({ live: !live, ...(live ? {} : catchUp) });
  };
  return (
    <div class="time">
      <fieldset class="segments" aria-label="Time range">
        {QUICK.map((length) => (
          <button
            key={length}
            type="button"
            aria-pressed={isQuick(length)}
            onClick={() => navigate({ from: `now-${length}`, to: "now" })}
          >
            {length}
          </button>
        ))}
      </fieldset>
      <Popover
        open={open}
        side="right"
        onClose={() => setOpen(false)}
        button={
          <button
            type="button"
            class="time-text"
            aria-expanded={open}
            title="Type a range"
            onClick={() => setOpen(!open)}
          >
            <Icon name="clock" />
            <span>{describe(from, to, range)}</span>
            <Icon name="down" />
          </button>
        }
      >
        <RangeForm
          from={from}
          to={to}
          onRange={(change) => {
            setOpen(false);
            navigate({ ...change, live: live && change.to === "now" });
          }}
        />
      </Popover>
      <button
        type="button"
        class="live"
        aria-pressed={live}
        title={live ? "Stop following" : "Follow: show new samples every 10 s"}
        onClick={follow}
      >
        <span class="live-dot" /> Live
      </button>
    </div>
  );
}

interface FormProps {
  readonly from: string;
  readonly to: string;
  onRange(range: { from: string; to: string }): void;
}

function RangeForm({ from, to, onRange }: FormProps) {
  const [typed, setTyped] = useState({ from, to });
  const [error, setError] = useState("");
  const submit = (event: Event) => {
    event.preventDefault();
    try {
      parseRange(typed.from, typed.to, serverNow());
      onRange({ from: absolute(typed.from), to: absolute(typed.to) });
    } catch (problem) {
      setError((problem as Error).message);
    }
  };
  return (
    <form class="range-form" onSubmit={submit}>
      {(["from", "to"] as const).map((end) => (
        <label key={end}>
          <span>{end === "from" ? "From" : "To"}</span>
          <input
            class="mono"
            spellcheck={false}
            value={typed[end]}
            onInput={(event) => setTyped({ ...typed, [end]: event.currentTarget.value })}
          />
        </label>
      ))}
      {error && (
        <p class="form-error" role="alert">
          {error}
        </p>
      )}
      <p class="hint">
        now, now-90m, 2026-01-31 12:00 (your time), 2026-01-31T12:00Z, Unix seconds
      </p>
      <button type="submit" class="primary">
        Apply
      </button>
    </form>
  );
}

/** Local times become UTC before they go into the URL: a link means the same everywhere. */
const absolute = (text: string): string =>
  isRelative(text) ? text.trim() : toText(parseRange(text, "9999-01-01", 0).from);
