/** Beside the flamegraph: the table of functions, or what is known of the selected frame. */

import { useMemo } from "preact/hooks";
import type { FunctionAnswer, Selection, TopAnswer } from "../answers";
import { chosenAt, isChosen } from "../lib/chosen";
import type { Theme } from "../lib/colour";
import { findPath } from "../lib/path";
import { type FrameTree, ROOT } from "../lib/tree";
import { type PageState, SIDES } from "../lib/url";
import { FrameSheet } from "./frame_sheet";
import { History } from "./history";
import type { Navigate } from "./page_state";
import { TopTable } from "./top_table";

interface Props {
  readonly tree: FrameTree;
  readonly top: TopAnswer | null;
  readonly function: FunctionAnswer | null;
  readonly labels: readonly string[];
  readonly selection: Selection;
  readonly state: PageState;
  readonly theme: Theme;
  readonly navigate: Navigate;
}

const NAMES = { functions: "Functions", frame: "Frame", history: "History" };

export function Side(props: Props) {
  const { tree, top, state, theme, navigate, selection } = props;
  const found = useMemo(() => findPath(tree, state.at || state.zoom), [tree, state.at, state.zoom]);
  // A row of the table is a function wherever it stands.
  const node = found > ROOT && isChosen(chosenAt(tree, found), state) ? found : ROOT;
  return (
    <aside class="side" aria-label="Beside the flamegraph">
      <fieldset class="side-tabs" aria-label="Beside the flamegraph">
        {SIDES.map((each) => (
          <button
            key={each}
            type="button"
            aria-pressed={state.side === each}
            onClick={() => navigate({ side: each }, "replace")}
          >
            {NAMES[each]}
          </button>
        ))}
      </fieldset>
      {state.side === "frame" ? (
        <FrameSheet
          {...{ tree, state, theme, navigate, selection }}
          node={node}
          answer={props.function}
          labels={props.labels}
        />
      ) : state.side === "history" ? (
        <History {...{ selection, state }} />
      ) : (
        top && (
          <TopTable
            answer={top}
            ms={selection.to - selection.from}
            {...{ state, theme, navigate }}
          />
        )
      )}
    </aside>
  );
}
