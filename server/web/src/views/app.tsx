/** The explorer: selection on top, timeline, flamegraph and table, accounts at the bottom. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Flamegraph } from "../flamegraph/flamegraph";
import type { Scene } from "../flamegraph/scene";
import type { Found } from "../lib/search";
import { ROOT } from "../lib/tree";
import type { PageState } from "../lib/url";
import { Brand } from "./brand";
import { CloserLook } from "./closer_look";
import { Compare } from "./compare";
import { useData } from "./data";
import { Graph } from "./graph";
import { NothingSelected, NothingYet, Problem, RecordedBanner, StaleBanner } from "./notices";
import type { Navigate } from "./page_state";
import { QueryBar } from "./query_bar";
import { Sandwich } from "./sandwich";
import { useSearch } from "./search";
import { SearchBox } from "./search_box";
import { Side } from "./side";
import { Status } from "./status";
import { TimeRange } from "./time_range";
import { Timeline } from "./timeline";
import { Export, Look, Tabs } from "./toolbar";
import { Transform } from "./transform";

interface Props {
  readonly state: PageState;
  readonly navigate: Navigate;
  readonly theme: Scene["theme"];
  /** what stands at the end of the top bar */
  readonly corner: ComponentChildren;
}

export function Explorer({ state, navigate, theme, corner }: Props) {
  const tab = useTab(state.tab);
  const data = useData(state, tab !== "flamegraph");
  const answer = data.flamegraph.value;
  const tree = answer?.tree ?? null;
  const search = useSearch(tree, state.search);
  const graph = useRef<Flamegraph | null>(null);
  return (
    <div class="page" data-waiting={data.waiting}>
      <header class="topbar">
        <Brand navigate={navigate} />
        <QueryBar
          selection={data.selection}
          query={state.query}
          types={data.types}
          error={data.error}
          onQuery={(query) => navigate({ query })}
        />
        <TimeRange state={state} range={data.range} navigate={navigate} />
        {corner}
      </header>
      {answer?.coverage.recorded && <RecordedBanner />}
      <main class="content">
        {data.range && (
          <Timeline
            answer={data.timeline.value}
            labels={data.labels}
            deploys={data.deploys}
            range={data.range}
            {...{ state, theme, navigate }}
          />
        )}
        <div class="toolbar">
          <Tabs tab={tab} navigate={navigate} />
          <SearchBox
            search={state.search}
            found={search.current ? search.found : null}
            tree={tree}
            error={search.error}
            onSearch={(text) => navigate({ search: text }, "replace")}
          />
          {tab !== "table" && <Look {...{ state, navigate }} />}
          <Transform {...{ state, navigate }} labels={data.labels} />
          <Compare range={data.range} deploys={data.deploys} {...{ state, navigate }} />
          <CloserLook query={state.query} navigate={navigate} />
          <Export shown={data.shown} graph={graph} />
        </div>
        <Answer {...{ data, state, tab, theme, navigate, found: search.found, graph }} />
      </main>
      <Status answer={answer} />
    </div>
  );
}

interface AnswerProps {
  readonly data: ReturnType<typeof useData>;
  readonly state: PageState;
  readonly navigate: Navigate;
  readonly tab: PageState["tab"];
  readonly theme: Scene["theme"];
  readonly found: Found | null;
  readonly graph: { current: Flamegraph | null };
}

/** The answer, or why there is none. */
function Answer({ data, state, tab, theme, navigate, found, graph }: AnswerProps) {
  const answer = data.flamegraph.value;
  if (data.error && !answer) {
    return <Problem error={data.error} navigate={navigate} onRetry={data.retry} />;
  }
  if (data.nothing) return <NothingYet />;
  if (!answer) return <div class="skeleton">Adding samples up…</div>;
  if (answer.samples === 0 && answer.tree.total[ROOT] === 0)
    return <NothingSelected navigate={navigate} />;
  return (
    <>
      {data.error && <StaleBanner error={data.error} />}
      <div class={`views views-${tab}`}>
        {tab === "sandwich" ? (
          <Sandwich answer={data.callers.value} {...{ state, theme, navigate }} />
        ) : (
          <Graph {...{ answer, state, theme, navigate, found, graph }} />
        )}
        {data.selection && (
          <Side
            tree={answer.tree}
            top={data.top.value}
            function={data.one.value}
            labels={data.labels}
            selection={data.selection}
            {...{ state, theme, navigate }}
          />
        )}
      </div>
    </>
  );
}

const narrow = matchMedia("(width < 900px)");

/** Both views side by side need room; without it the flamegraph stands alone. */
function useTab(tab: PageState["tab"]): PageState["tab"] {
  const [alone, setAlone] = useState(narrow.matches);
  useEffect(() => {
    const look = () => setAlone(narrow.matches);
    narrow.addEventListener("change", look);
    return () => narrow.removeEventListener("change", look);
  }, []);
  return tab === "both" && alone ? "flamegraph" : tab;
}
