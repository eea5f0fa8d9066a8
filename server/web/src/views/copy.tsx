/** A button that copies a text, and says that it did. */

import { useEffect, useState } from "preact/hooks";

/** How long it says so. */
const SAID_MS = 1500;

export function Copy({ name, text }: { name: string; text: string }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => setDone(false), SAID_MS);
    return () => clearTimeout(timer);
  }, [done]);
  return (
    <button type="button" class="small" onClick={() => copy(text).then(() => setDone(true))}>
      <span aria-live="polite">{done ? "Copied" : name}</span>
    </button>
  );
}

/** Browsers hide the clipboard from pages that came by plain HTTP; they still obey a selection. */
async function copy(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = document.body.appendChild(document.createElement("textarea"));
  field.value = text;
  field.select();
  document.execCommand("copy");
  field.remove();
}
