/** A label filter in the making: name, operator, value, with what the selection has to offer. */

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Selection } from "../answers";
import { getLabels, getLabelValues } from "../api";
import { type Matcher, OPERATORS, type Operator } from "../lib/selector";
import { useAnswer } from "./answer";
import { Combobox } from "./combobox";
import { Icon } from "./icons";
import { Popover } from "./popover";

interface Props {
  readonly selection: Selection | null;
  onAdd(matcher: Matcher): void;
}

export function FilterEditor({ selection, onAdd }: Props) {
  const [open, setOpen] = useState(false);
  return (
    <Popover
      open={open}
      onClose={() => setOpen(false)}
      button={
        <button
          type="button"
          class="ghost add-filter"
          aria-expanded={open}
          onClick={() => setOpen(!open)}
        >
          <Icon name="plus" /> Filter
        </button>
      }
    >
      {selection && (
        <FilterForm
          selection={selection}
          onAdd={(matcher) => {
            setOpen(false);
            onAdd(matcher);
          }}
        />
      )}
    </Popover>
  );
}

function FilterForm({ selection, onAdd }: { selection: Selection; onAdd: Props["onAdd"] }) {
  const [name, setName] = useState("");
  const [op, setOp] = useState<Operator>("=");
  const [value, setValue] = useState("");
  const first = useRef<HTMLInputElement>(null);
  // At once: what is typed next is meant for it.
  useLayoutEffect(() => first.current?.focus(), []);
  const asked = `${selection.query} ${selection.from} ${selection.to}`;
  const names = useAnswer(asked, (signal) => getLabels(selection, signal));
  const values = useAnswer(name ? `${asked} ${name}` : null, (signal) =>
    getLabelValues(selection, name, signal),
  );
  return (
    <form
      class="filter-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (name) onAdd({ name, op, value });
      }}
    >
      <Combobox
        inputRef={first}
        label="Label"
        options={names.value ?? []}
        value={name}
        onValue={setName}
      />
      <label class="select">
        <select
          aria-label="Operator"
          value={op}
          onChange={(event) => setOp(event.currentTarget.value as Operator)}
        >
          {OPERATORS.map((each) => (
            <option key={each} value={each}>
              {each}
            </option>
          ))}
        </select>
        <Icon name="down" />
      </label>
      <Combobox
        label="Value"
        options={name ? (values.value ?? []) : []}
        value={value}
        onValue={setValue}
      />
      <button type="submit" class="primary" disabled={name === ""}>
        Add
      </button>
    </form>
  );
}
