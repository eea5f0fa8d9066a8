/** The sheet of keys and of what can be searched. */

import { useEffect, useRef } from "preact/hooks";

const KEYS = [
  ["?", "this sheet"],
  ["o", "overview of all services"],
  ["r", "range as text"],
  ["l", "live: follow the present"],
  ["t", "light or dark"],
  ["Esc", "close what is open"],
] as const;

const EXPLORER = [
  ["/", "search"],
  ["e", "selector as text, with completion"],
  ["f", "add a filter"],
  ["g", "group the timeline by a label"],
  ["1 2 3 4", "both, flamegraph, table, sandwich"],
  ["i", "functions or the selected frame beside it"],
  ["h", "its history of 90 days beside it"],
  ["c", "callers and callees of the selected frame"],
] as const;

const GRAPH = [
  ["↑ ↓ ← →", "move from frame to frame"],
  ["Enter", "zoom to the frame"],
  ["Home", "back to the zoomed frame"],
  ["+ -", "zoom in and out, also w and s"],
  ["a d", "move left and right"],
  ["0", "fit"],
  ["Esc", "zoom out"],
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
      <div class="help-columns">
        <div>
          <h2 id="help-title">Keys</h2>
          <List entries={KEYS} />
          <h2>In the explorer</h2>
          <List entries={EXPLORER} />
        </div>
        <div>
          <h2>In the flamegraph</h2>
          <List entries={GRAPH} />
          <h2>Search</h2>
          <List entries={SEARCHES} />
        </div>
      </div>
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
