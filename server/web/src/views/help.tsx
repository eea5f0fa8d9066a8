/** The sheet of keys and of what can be searched. */

import { useEffect, useRef } from "preact/hooks";

const KEYS = [
  ["/", "search"],
  ["↑ ↓ ← →", "move in the flamegraph"],
  ["Enter", "zoom to the selected frame"],
  ["Esc", "zoom out, close, clear the search"],
  ["Home", "back to the zoomed frame"],
  ["?", "this sheet"],
] as const;

const SEARCHES = [
  ["poll", "function names that hold it, in any case"],
  ["/^std::.*push/", "regular expression; /…/i in any case"],
  ['"main"', "exactly this function"],
  ["kind:kernel", "also file: and binary:, with text, regex or exact"],
] as const;

export function Help({ open, onClose }: { open: boolean; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  return (
    <dialog ref={dialog} class="help" aria-labelledby="help-title" onClose={onClose}>
      <h2 id="help-title">Keys</h2>
      <List entries={KEYS} />
      <h2>Search</h2>
      <List entries={SEARCHES} />
      <p class="hint">
        A frame is as wide as its share of the total. Half-height bars stand for frames that are too
        thin to draw. Drag on the timeline to narrow the range.
      </p>
      <form method="dialog">
        <button type="submit" class="primary">
          Close
        </button>
      </form>
    </dialog>
  );
}

function List({ entries }: { entries: readonly (readonly [string, string])[] }) {
  return (
    <dl>
      {entries.map(([key, meaning]) => (
        <div key={key}>
          <dt>
            <kbd>{key}</kbd>
          </dt>
          <dd>{meaning}</dd>
        </div>
      ))}
    </dl>
  );
}
