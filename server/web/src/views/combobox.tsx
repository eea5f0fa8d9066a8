/** A text field with suggestions (the ARIA combobox pattern); what is not suggested can be typed. */

import type { RefObject } from "preact";
import { useId, useState } from "preact/hooks";

interface Props {
  readonly label: string;
  readonly options: readonly string[];
  readonly value: string;
  readonly inputRef?: RefObject<HTMLInputElement | null>;
  onValue(value: string): void;
}

/** Beyond these typing is the quicker way. */
const SHOWN = 200;

export function Combobox({ label, options, value, inputRef, onValue }: Props) {
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const id = useId();
  const low = value.toLowerCase();
  const whole = options.includes(value);
  const fitting = options.filter((option) => whole || option.toLowerCase().includes(low));
  const shown = open ? fitting.slice(0, SHOWN) : [];
  const choose = (option: string) => {
    onValue(option);
    setOpen(false);
    setActive(-1);
  };
  const key = (event: KeyboardEvent) => {
    const moves: Record<string, number> = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in moves) {
      setOpen(true);
      setActive(Math.max(-1, Math.min(active + moves[event.key], fitting.length - 1, SHOWN - 1)));
    } else if (event.key === "Enter" && open && active >= 0) choose(shown[active]);
    else if (event.key === "Escape" && shown.length > 0) setOpen(false);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="combobox">
      <input
        ref={inputRef ?? null}
        role="combobox"
        aria-label={label}
        aria-expanded={shown.length > 0}
        aria-controls={id}
        aria-activedescendant={active >= 0 ? `${id}-${active}` : undefined}
        aria-autocomplete="list"
        placeholder={label}
        autocomplete="off"
        spellcheck={false}
        value={value}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onInput={(event) => {
          onValue(event.currentTarget.value);
          setOpen(true);
          setActive(-1);
        }}
        onKeyDown={key}
      />
      <div class="combobox-list" role="listbox" id={id} aria-label={label} hidden={!shown.length}>
        {shown.map((option, i) => (
          // biome-ignore lint/a11y/useFocusableInteractive: the field keeps the focus
          // biome-ignore lint/a11y/useKeyWithClickEvents: the field hears the keys
          <div
            key={option}
            id={`${id}-${i}`}
            role="option"
            class="combobox-option"
            aria-selected={i === active}
            onPointerDown={(event) => event.preventDefault()}
            onClick={() => choose(option)}
          >
            {option}
          </div>
        ))}
      </div>
    </div>
  );
}
