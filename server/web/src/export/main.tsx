/** A flamegraph as one file: the page's own, with what it draws in the file itself. */

import { render } from "preact";
import { useCallback, useEffect, useMemo, useState } from "preact/hooks";
import "../styles/export.css";
import { counted, value } from "../lib/format";
import { ordered } from "../lib/order";
import type { FlamegraphAnswer } from "../lib/payload";
import { ROOT } from "../lib/tree";
import { type PageState, read, write } from "../lib/url";
import { Graph } from "../views/graph";
import type { Navigate } from "../views/page_state";
import { useSearch } from "../views/search";
import { SearchBox } from "../views/search_box";
import { useTheme } from "../views/theme";
import { Look } from "../views/toolbar";
import { embedded } from "./embedded";

function Export({ answer }: { answer: FlamegraphAnswer }) {
  const [state, navigate] = useHash();
  const [theme] = useTheme();
  const { unit, samples, hidden } = answer;
  const tree = useMemo(() => ordered(answer.tree, state.order), [answer, state.order]);
  const search = useSearch(tree, state.search);
  return (
    <div class="export">
      <header class="export-bar">
        <h1>{document.title}</h1>
        <span class="export-total">
          {value(tree.total[ROOT], unit)} · {counted(samples, "sample")}
          {hidden > 0 && ` · ${counted(hidden, "frame")} left out`}
        </span>
        <SearchBox
          search={state.search}
          found={search.current ? search.found : null}
          tree={tree}
          error={search.error}
          onSearch={(text) => navigate({ search: text }, "replace")}
        />
        <Look {...{ state, tree, theme, navigate }} />
      </header>
      <Graph {...{ answer: { tree, unit }, state, theme, navigate, found: search.found }} />
    </div>
  );
}

/** The state of the file is what stands behind "#": nothing else of a file's address may change. */
function useHash(): [PageState, Navigate] {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const follow = () => setHash(location.hash);
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  const state = useMemo(() => read(hash.slice(1)), [hash]);
  const navigate = useCallback<Navigate>((change, how = "push") => {
    const next = `#${write({ ...read(location.hash.slice(1)), ...change }).slice(1)}`;
    if (how === "push") location.hash = next;
    else history.replaceState(null, "", next);
    setHash(location.hash);
  }, []);
  return [state, navigate];
}

const place = document.getElementById("page") as HTMLElement;
embedded().then(
  (answer) => render(<Export answer={answer} />, place),
  (error: Error) => {
    place.textContent = `This file is damaged: ${error.message}`;
  },
);
