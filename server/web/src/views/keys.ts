/** The keys of the page, wherever nothing is being typed; views/help.tsx tells of all of them. */

import { useEffect, useRef } from "preact/hooks";
import { type PageState, stateWith, TABS } from "../lib/url";
import type { Navigate } from "./page_state";

const TYPING = "input, select, textarea, dialog[open]";

interface Actions {
  readonly state: PageState;
  readonly navigate: Navigate;
  help(): void;
  theme(): void;
}

const press = (selector: string) => () => document.querySelector<HTMLElement>(selector)?.click();
const focus = (selector: string) => () => document.querySelector<HTMLElement>(selector)?.focus();

function actionOf(key: string, { state, navigate, help, theme }: Actions): (() => void) | null {
  const anywhere: Record<string, () => void> = {
    ...{ "?": help, t: theme, l: press(".live"), r: press(".time-text") },
    o: () => navigate(stateWith({})),
  };
  if (state.query === "") return anywhere[key] ?? null;
  const tab = TABS[Number(key) - 1];
  if (tab) return () => navigate({ tab });
  const explorer: Record<string, () => void> = {
    ...{ "/": focus("#search"), e: press(".query-mode:not([aria-pressed=true])") },
    ...{ f: press(".add-filter"), g: focus("[aria-label='Group by']") },
    h: () => navigate({ side: "history" }, "replace"),
    i: () => navigate({ side: state.side === "frame" ? "functions" : "frame" }, "replace"),
    c: () => state.function && navigate({ tab: "sandwich" }),
  };
  return anywhere[key] ?? explorer[key] ?? null;
}

export function usePageKeys(actions: Actions): void {
  const latest = useRef(actions);
  latest.current = actions;
  useEffect(() => {
    const hear = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if ((event.target as Element).closest?.(TYPING)) return;
      const action = actionOf(event.key, latest.current);
      if (!action) return;
      event.preventDefault();
      action();
    };
    addEventListener("keydown", hear);
    return () => removeEventListener("keydown", hear);
  }, []);
}
