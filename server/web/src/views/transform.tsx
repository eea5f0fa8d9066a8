/** What is done with the stacks before they are drawn: on the server, with all samples. */

import { useEffect, useState } from "preact/hooks";
import { AS_THEY_ARE, type PageState, shownOf } from "../lib/url";
import { Icon } from "./icons";
import type { Navigate } from "./page_state";
import { Popover } from "./popover";

interface Props {
  readonly state: PageState;
  readonly labels: readonly string[];
  readonly navigate: Navigate;
}

const EXPRESSIONS = {
  focus: ["Focus on", "Only stacks that hold a frame which matches"],
  hide: ["Hide", "Frames that match leave their stacks; what they call moves up"],
  fold: ["Fold", "Of frames that match and call one another, the first stays"],
} as const;

const GROUPS = { function: "Function", line: "Line", file: "File", binary: "Binary", kind: "Kind" };

export function Transform({ state, labels, navigate }: Props) {
  const [open, setOpen] = useState(false);
  const active = Object.keys(shownOf(state)).length;
  return (
    <Popover
      open={open}
      side="right"
      onClose={() => setOpen(false)}
      button={
        <button
          type="button"
          aria-expanded={open}
          aria-pressed={active > 0}
          title="Focus on, hide and fold frames, and what a frame stands for"
          onClick={() => setOpen(!open)}
        >
          <Icon name="sliders" /> Transform{active > 0 && ` (${active})`}
        </button>
      }
    >
      <Form {...{ state, labels, navigate, active }} />
    </Popover>
  );
}

function Form({ state, labels, navigate, active }: Props & { readonly active: number }) {
  const change = (shown: Partial<PageState>) => navigate({ ...shown, zoom: "", view: "" });
  return (
    <div class="transform">
      {(["focus", "hide", "fold"] as const).map((name) => (
        <Expression
          key={name}
          name={EXPRESSIONS[name][0]}
          title={EXPRESSIONS[name][1]}
          value={state[name]}
          onValue={(value) => change({ [name]: value })}
        />
      ))}
      <label>
        <span>Frames by</span>
        <select
          value={state.group}
          onChange={(event) => change({ group: event.currentTarget.value })}
        >
          {Object.entries(GROUPS).map(([group, name]) => (
            <option key={group} value={group}>
              {name}
            </option>
          ))}
          {labels.map((label) => (
            <option key={label} value={`label:${label}`}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <label class="check">
        <input
          type="checkbox"
          checked={state.recursion === "collapse"}
          onChange={(event) =>
            change({ recursion: event.currentTarget.checked ? "collapse" : "keep" })
          }
        />
        Collapse recursion
      </label>
      <label class="check">
        <input
          type="checkbox"
          checked={state.threads === "merge"}
          onChange={(event) => change({ threads: event.currentTarget.checked ? "merge" : "keep" })}
        />
        Merge threads
      </label>
      <button type="button" disabled={active === 0} onClick={() => change(AS_THEY_ARE)}>
        Stacks as they are
      </button>
    </div>
  );
}

interface ExpressionProps {
  readonly name: string;
  readonly title: string;
  readonly value: string;
  onValue(value: string): void;
}

/** It is asked for when the field is left, or with Enter: half an expression means something else. */
function Expression({ name, title, value, onValue }: ExpressionProps) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  const tell = () => text !== value && onValue(text);
  return (
    <label title={title}>
      <span>{name}</span>
      <input
        type="text"
        class="mono"
        placeholder="regex, binary:libc, kind:kernel"
        spellcheck={false}
        autocomplete="off"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onBlur={tell}
        onKeyDown={(event) => event.key === "Enter" && tell()}
      />
    </label>
  );
}
