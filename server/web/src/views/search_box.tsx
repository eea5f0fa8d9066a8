/** The search field, and what share of the total its matches stand for. */

import { useEffect, useRef, useState } from "preact/hooks";
import { counted, share } from "../lib/format";
import type { Found } from "../lib/search";
import type { FrameTree } from "../lib/tree";
import { Icon } from "./icons";

interface Props {
  readonly search: string;
  readonly found: Found | null;
  readonly tree: FrameTree | null;
  readonly error: string;
  onSearch(search: string): void;
}

/** Typing pauses this long before the URL is written: browsers limit how often it may be. */
const PAUSE_MS = 120;

export function SearchBox({ search, found, tree, error, onSearch }: Props) {
  const [text, setText] = useState(search);
  const pause = useRef(0);
  useEffect(() => setText(search), [search]);
  const type = (typed: string) => {
    setText(typed);
    clearTimeout(pause.current);
    pause.current = setTimeout(() => onSearch(typed), PAUSE_MS) as unknown as number;
  };
  return (
    <div class="search">
      <label class={error ? "search-field wrong" : "search-field"}>
        <Icon name="search" />
        <input
          id="search"
          type="text"
          aria-label="Search frames"
          placeholder="Search: text, /regex/, kind:kernel"
          spellcheck={false}
          autocomplete="off"
          value={text}
          onInput={(event) => type(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Escape") type("");
          }}
        />
        {text ? (
          <button
            type="button"
            class="ghost"
            aria-label="Clear the search"
            onClick={() => type("")}
          >
            <Icon name="close" />
          </button>
        ) : (
          <kbd>/</kbd>
        )}
      </label>
      <output class="search-share" aria-live="polite">
        {error || (found && tree && <Share found={found} whole={tree.total[0]} />)}
      </output>
    </div>
  );
}

/** A range where frames that were not sent could hold more matches. */
function Share({ found, whole }: { found: Found; whole: number }) {
  const least = share(found.value, whole);
  const most = share(found.value + found.unsearched, whole);
  const title = `${counted(found.nodes, "frame")} in the graph, ${counted(found.samples, "sample")}; a stack with several matches counts once`;
  return (
    <span title={title}>
      <strong>{least === most ? least : `${least} to ${most}`}</strong> of the total
      <span class="search-count"> · {counted(found.nodes, "frame")}</span>
    </span>
  );
}
