/** What a search finds in the tree: a text at once, a regular expression when a worker has matched it. */

import { useEffect, useMemo, useState } from "preact/hooks";
import { compile, type Found, find, matched, type Search, valuesOf } from "../lib/search";
import type { FrameTree } from "../lib/tree";
import { Matcher } from "../matcher";

/** The worker's script, known when the page is built: its address, or its text in an exported file. */
declare const MATCHER: { readonly address: string } | { readonly text: string };

const address = () =>
  "text" in MATCHER
    ? URL.createObjectURL(new Blob([MATCHER.text], { type: "text/javascript" }))
    : new URL(MATCHER.address, document.baseURI);

const matcher = new Matcher(() => new Worker(address()));

export interface Searched {
  /** while an expression is at work, what was found before */
  readonly found: Found | null;
  readonly current: boolean;
  readonly error: string;
}

interface Come {
  readonly tree: FrameTree;
  readonly search: Search;
  readonly found: Found | null;
  readonly error: string;
}

export function useSearch(tree: FrameTree | null, text: string): Searched {
  const { search, error } = useMemo(() => compiled(text), [text]);
  const values = useMemo(() => search && tree && valuesOf(tree.frames, search), [tree, search]);
  const [come, setCome] = useState<Come | null>(null);
  const atOnce = useMemo(() => {
    if (!tree || !search || !values || search.matches instanceof RegExp) return null;
    return find(tree, matched(values, search.matches));
  }, [tree, search, values]);
  useEffect(() => {
    if (!tree || !search || !values || !(search.matches instanceof RegExp)) return;
    const tell = (found: Found | null, error = "") => setCome({ tree, search, found, error });
    matcher.match(values, search.matches).then(
      (frames) => tell(find(tree, frames)),
      (error: Error) => error.name !== "AbortError" && tell(null, error.message),
    );
  }, [tree, search, values]);
  if (!search || !(search.matches instanceof RegExp)) {
    return { found: atOnce, current: true, error };
  }
  const current = come?.tree === tree && come?.search === search;
  const found = come?.tree === tree ? come.found : null;
  return { found, current, error: current ? come.error : "" };
}

function compiled(text: string): { search: Search | null; error: string } {
  try {
    return { search: compile(text), error: "" };
  } catch (error) {
    return { search: null, error: (error as Error).message };
  }
}
