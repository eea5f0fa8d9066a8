/** The state of the page is its URL: Back, reload and a shared link all lead to the same view. */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type PageState, read, write } from "../lib/url";

/** `replace` for what is still being typed: it makes no entry in the history. */
export type Navigate = (change: Partial<PageState>, how?: "push" | "replace") => void;

export function usePageState(): [PageState, Navigate] {
  const [state, setState] = useState(() => read(location.search));
  const latest = useRef(state);
  const adopt = useCallback((next: PageState) => {
    latest.current = next;
    setState(next);
  }, []);
  useEffect(() => {
    const restore = () => adopt(read(location.search));
    addEventListener("popstate", restore);
    return () => removeEventListener("popstate", restore);
  }, [adopt]);
  const navigate = useCallback<Navigate>(
    (change, how = "push") => {
      const before = latest.current;
      const next = { ...before, ...change };
      if (write(next) === write(before)) return;
      const url = `${location.pathname}${write(next)}`;
      if (how === "push") history.pushState(null, "", url);
      else history.replaceState(null, "", url);
      adopt(next);
    },
    [adopt],
  );
  return [state, navigate];
}
