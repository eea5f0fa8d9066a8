/** The selected function between those that call it and those that it calls. A click on any of them
 * puts it into the middle. */

import { useMemo, useState } from "preact/hooks";
import type { CallersAnswer } from "../answers";
import type { Orientation, Scene } from "../flamegraph/scene";
import { chosenAt } from "../lib/chosen";
import type { Theme } from "../lib/colour";
import { share, value } from "../lib/format";
import { type FrameTree, ROOT } from "../lib/tree";
import type { PageState } from "../lib/url";
import { FlamePanel } from "./flame_panel";
import type { Navigate } from "./page_state";

interface Props {
  readonly answer: CallersAnswer | null;
  readonly state: PageState;
  readonly theme: Theme;
  readonly navigate: Navigate;
}

export function Sandwich({ answer, state, theme, navigate }: Props) {
  if (!state.function) {
    return (
      <div class="flame-column sandwich">
        <p class="sheet-hint muted">
          Choose a function in the table, or a frame in the flamegraph: its callers and what it
          calls stand here.
        </p>
      </div>
    );
  }
  const common = { unit: answer?.unit ?? "", state, theme, navigate };
  return (
    <div class="flame-column sandwich">
      <header class="sandwich-head">
        <strong>{state.function}</strong>
        {answer && (
          <span class="muted">
            self {value(answer.self, answer.unit)} · total {value(answer.total, answer.unit)} ·{" "}
            {share(answer.total, answer.everything)} of all
          </span>
        )}
      </header>
      {answer && (
        <>
          <Half {...common} name="Callers" tree={answer.callers} orientation="flame" />
          <Half {...common} name="Callees" tree={answer.callees} orientation="icicle" />
        </>
      )}
    </div>
  );
}

interface HalfProps {
  readonly name: string;
  readonly tree: FrameTree;
  readonly unit: string;
  readonly orientation: Orientation;
  readonly state: PageState;
  readonly theme: Theme;
  readonly navigate: Navigate;
}

function Half({ name, tree, unit, orientation, state, theme, navigate }: HalfProps) {
  const [cursor, setCursor] = useState({ tree, node: ROOT });
  const selected = cursor.tree === tree ? cursor.node : ROOT;
  const scene = useMemo<Scene>(
    () => ({
      ...{ tree, unit, focus: ROOT, view: "", selected, found: null },
      ...{ orientation, colouring: state.colour, palette: state.palette, theme },
    }),
    [tree, unit, selected, orientation, state.colour, state.palette, theme],
  );
  const select = (node: number) => setCursor({ tree, node });
  const choose = (node: number) => {
    if (node !== ROOT) navigate({ ...chosenAt(tree, node), at: "" });
  };
  return (
    <section class="sandwich-half" aria-label={name}>
      <h3>{name}</h3>
      <FlamePanel name={name} scene={scene} listener={{ focus: choose, select, look: () => {} }} />
    </section>
  );
}
