/** The flamegraph with the way to its focus, as the state of the page has it. */

import { useMemo, useState } from "preact/hooks";
import type { Flamegraph } from "../flamegraph/flamegraph";
import type { Scene } from "../flamegraph/scene";
import { chosenAt } from "../lib/chosen";
import type { Theme } from "../lib/colour";
import type { Difference } from "../lib/difference";
import { findPath, pathName } from "../lib/path";
import type { FlamegraphAnswer } from "../lib/payload";
import type { Found } from "../lib/search";
import { ROOT } from "../lib/tree";
import type { PageState } from "../lib/url";
import { Breadcrumb } from "./breadcrumb";
import { Colours } from "./colours";
import { FlamePanel } from "./flame_panel";
import type { Navigate } from "./page_state";
import { usePause } from "./pause";

interface Props {
  readonly answer: Pick<FlamegraphAnswer, "tree" | "unit">;
  readonly state: PageState;
  readonly theme: Theme;
  readonly navigate: Navigate;
  readonly found: Found | null;
  readonly graph?: { current: Flamegraph | null };
  readonly difference?: Difference;
}

export function Graph(props: Props) {
  const { state, theme, navigate, found, graph, difference } = props;
  const { tree, unit } = props.answer;
  const { zoom, view, orientation, colour: colouring, palette } = state;
  const path = useMemo(() => findPath(tree, zoom), [tree, zoom]);
  const focus = Math.max(path, ROOT);
  const named = useMemo(() => findPath(tree, state.at || zoom), [tree, state.at, zoom]);
  const [cursor, setCursor] = useState({ tree, node: Math.max(named, ROOT) });
  const selected = cursor.tree === tree ? cursor.node : Math.max(named, ROOT);
  const scene = useMemo<Scene>(
    () => ({
      ...{ tree, unit, focus, view, selected, found, orientation, colouring, palette, theme },
      difference,
    }),
    [tree, unit, focus, view, selected, found, orientation, colouring, palette, theme, difference],
  );
  const remember = usePause((node: number) =>
    navigate(
      { ...chosenAt(tree, node), at: node === focus ? "" : pathName(tree, node) },
      "replace",
    ),
  );
  const select = (node: number) => {
    setCursor({ tree, node });
    remember(node);
  };
  const zoomTo = (node: number) => {
    setCursor({ tree, node });
    remember.cancel();
    navigate({ ...chosenAt(tree, node), zoom: pathName(tree, node), at: "", view: "" });
  };
  const look = (view: string) => navigate({ view }, "replace");
  return (
    <div class="flame-column">
      {path < 0 && (
        <p class="banner" role="status">
          The frame that this link zooms to has no samples here: this is the whole.
        </p>
      )}
      <div class="flame-head">
        <Breadcrumb tree={tree} focus={focus} onFocus={zoomTo} />
        {state.search === "" && colouring !== "share" && !difference && (
          <Colours {...{ tree, state, theme }} />
        )}
      </div>
      <FlamePanel scene={scene} listener={{ focus: zoomTo, select, look }} graph={graph} />
    </div>
  );
}
