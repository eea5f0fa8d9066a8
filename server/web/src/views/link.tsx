/** A link to another state of the page: it opens in place, or wherever the browser is told to. */

import type { ComponentChildren } from "preact";
import { type PageState, stateWith, write } from "../lib/url";
import type { Navigate } from "./page_state";

interface Props {
  /** what is not said is the default */
  readonly to: Partial<PageState>;
  readonly navigate: Navigate;
  readonly class?: string;
  readonly title?: string;
  readonly children: ComponentChildren;
}

export function PageLink({ to, navigate, children, ...rest }: Props) {
  const state = stateWith(to);
  const follow = (event: MouseEvent) => {
    if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) {
      return;
    }
    event.preventDefault();
    navigate(state);
    scrollTo(0, 0);
  };
  return (
    <a {...rest} href={write(state) || "?"} onClick={follow}>
      {children}
    </a>
  );
}
