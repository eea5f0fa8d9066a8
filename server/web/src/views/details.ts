/** The flamegraph that was sent, and grows by the parts that are zoomed to. */

import { useEffect, useMemo, useState } from "preact/hooks";
import type { Shown } from "../answers";
import { getFlamegraph, type Part } from "../api";
import { graft, USUAL_NODES, wanted } from "../lib/detail";
import { ordered } from "../lib/order";
import { findPath, pathName } from "../lib/path";
import type { FlamegraphAnswer } from "../lib/payload";
import type { PageState } from "../lib/url";
import { spanOf } from "../lib/view";
import { useAnswer } from "./answer";

interface Grown {
  readonly base: FlamegraphAnswer;
  readonly answer: FlamegraphAnswer;
  /** the part that came last: asked for again, it would be the same */
  readonly last: string;
}

export function useDetails(
  of: Shown | null,
  base: FlamegraphAnswer | null,
  { zoom, view, order }: PageState,
) {
  const [grown, setGrown] = useState<Grown | null>(null);
  const current = grown?.base === base ? grown : null;
  const answer = current?.answer ?? base;
  const part = useMemo(() => answer && lacking(answer, zoom, view), [answer, zoom, view]);
  const name = part && of && JSON.stringify([of, part]);
  const came = current ? name === current.last : part?.zoom === "" && part.nodes <= USUAL_NODES;
  const asked = came ? null : name;
  const detail = useAnswer(asked, async (signal) => ({
    name: name as string,
    answer: await getFlamegraph(of as Shown, part, signal),
  }));
  const { value } = detail;
  useEffect(() => {
    if (!value || !base || !answer || value.name !== asked) return;
    setGrown({ base, answer: joined(answer, value.answer), last: value.name });
  }, [value, base, answer, asked]);
  const shown = useMemo(
    () => answer && { ...answer, tree: ordered(answer.tree, order) },
    [answer, order],
  );
  return { answer: shown, error: detail.error, waiting: detail.waiting };
}

/** What the view lacks; a node that is not known may be one of those that were not sent. */
function lacking({ tree, hidden }: FlamegraphAnswer, zoom: string, view: string): Part | null {
  if (hidden === 0) return null;
  const focus = findPath(tree, zoom);
  if (focus < 0) return { zoom, nodes: USUAL_NODES };
  const found = wanted(tree, focus, spanOf(tree, focus, view));
  return found && { zoom: pathName(tree, found.node), nodes: found.nodes };
}

function joined(answer: FlamegraphAnswer, detail: FlamegraphAnswer): FlamegraphAnswer {
  if (detail.zoom < 0) return answer;
  const tree = graft(answer.tree, detail.tree, detail.zoom);
  const came = tree.count - answer.tree.count;
  return { ...answer, tree, hidden: Math.max(0, answer.hidden - came) };
}
