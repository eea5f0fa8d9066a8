/** The selector as text, completed as one types: types, labels, operators, values. */

import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ProfileType, Selection } from "../answers";
import { getLabels, getLabelValues } from "../api";
import { type Completion, complete, completionAt, fitting, operatorsFrom } from "../lib/completion";
import { useAnswer } from "./answer";

interface Props {
  readonly selection: Selection | null;
  readonly query: string;
  readonly types: readonly ProfileType[];
  onQuery(query: string): void;
}

const SHOWN = 100;

export function SelectorText({ selection, query, types, onQuery }: Props) {
  const [typed, setTyped] = useState({ text: query, caret: query.length });
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(0);
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  useEffect(() => setTyped({ text: query, caret: query.length }), [query]);
  useLayoutEffect(() => input.current?.focus(), []);
  const at = completionAt(typed.text, typed.caret);
  const options = useOptions(at, open, selection, types).slice(0, SHOWN);
  const shown = open && options.length > 0;
  // The browser puts the caret at the end when the text changes.
  useLayoutEffect(() => input.current?.setSelectionRange(typed.caret, typed.caret), [typed]);
  const type = ({ value, selectionStart }: HTMLInputElement) => {
    setTyped({ text: value, caret: selectionStart ?? value.length });
    setActive(0);
    setOpen(true);
  };
  const take = (option: string) => {
    setTyped(complete(typed.text, at, option));
    setActive(0);
    setOpen(true);
  };
  const submit = () => {
    setOpen(false);
    onQuery(typed.text.trim());
  };
  const key = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === " " && event.ctrlKey) setOpen(true);
    else if (step && options.length) {
      setOpen(true);
      setActive((active + (open ? step : 0) + options.length) % options.length);
    } else if (shown && (event.key === "Enter" || event.key === "Tab")) {
      if (options[active] === at.typed && event.key === "Enter") return submit();
      take(options[active]);
    } else if (shown && event.key === "Escape") setOpen(false);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <form
      class="query-text"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <div class="combobox">
        <input
          ref={input}
          class="mono"
          role="combobox"
          aria-label="Selector"
          aria-expanded={shown}
          aria-controls={id}
          aria-activedescendant={shown ? `${id}-${active}` : undefined}
          aria-autocomplete="list"
          spellcheck={false}
          autocomplete="off"
          value={typed.text}
          placeholder='cpu{service_name="checkout"}'
          onInput={(event) => type(event.currentTarget)}
          onKeyDown={key}
          onBlur={() => setOpen(false)}
        />
        <div class="combobox-list" role="listbox" id={id} aria-label="Suggestions" hidden={!shown}>
          {(shown ? options : []).map((option, i) => (
            // biome-ignore lint/a11y/useFocusableInteractive: the field keeps the focus
            // biome-ignore lint/a11y/useKeyWithClickEvents: the field hears the keys
            <div
              key={option}
              id={`${id}-${i}`}
              role="option"
              class="combobox-option mono"
              aria-selected={i === active}
              ref={(element) => {
                if (i === active) element?.scrollIntoView({ block: "nearest" });
              }}
              onPointerDown={(event) => event.preventDefault()}
              onClick={() => take(option)}
            >
              {option || '""'}
            </div>
          ))}
        </div>
      </div>
      <button type="submit" class="small" disabled={typed.text.trim() === query}>
        Apply
      </button>
    </form>
  );
}

/** What fits at the caret, of what the selector before it selects. */
function useOptions(
  at: Completion,
  open: boolean,
  selection: Selection | null,
  types: readonly ProfileType[],
): string[] {
  const asks = open && selection && (at.wants === "label" || at.wants === "value");
  const of = asks ? { ...selection, query: at.of } : null;
  const key = of && `${at.wants} ${at.label} ${of.query} ${of.from} ${of.to}`;
  const found = useAnswer(key, (signal) =>
    at.wants === "label"
      ? getLabels(of as Selection, signal)
      : getLabelValues(of as Selection, at.label, signal),
  );
  if (at.wants === "nothing") return [];
  if (at.wants === "operator") return operatorsFrom(at.typed);
  if (at.wants === "type") {
    return fitting(
      types.map(({ name }) => name),
      at.typed,
    );
  }
  return found.waiting ? [] : fitting(found.value ?? [], at.typed);
}
