/** What the page asks the server, and when. */

import { useCallback, useEffect, useMemo, useState } from "preact/hooks";
import type { Selection, Shown } from "../answers";
import {
  EVERY_NODE,
  getCallers,
  getDeploys,
  getFlamegraph,
  getFunction,
  getLabels,
  getProfileTypes,
  getTimeline,
  getTop,
} from "../api";
import { parseRange, type Range } from "../lib/time";
import { type PageState, shownOf } from "../lib/url";
import { serverNow, serverOffset } from "../request";
import { useAnswer } from "./answer";
import { useDetails } from "./details";

/** As often as collectors drain. */
const LIVE_MS = 10_000;
/** While there is nothing at all, the first samples are worth a shorter wait. */
const FIRST_MS = 2_000;

/** Counts up every `ms` while the page is looked at; 0 stands still. */
function useTicks(ms: number): [number, () => void] {
  const [ticks, setTicks] = useState(0);
  const tick = useCallback(() => setTicks((n) => n + 1), []);
  useEffect(() => {
    if (ms === 0) return;
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") tick();
    }, ms);
    return () => clearInterval(timer);
  }, [ms, tick]);
  return [ticks, tick];
}

interface Resolved {
  readonly range: Range | null;
  readonly error: Error | null;
}

function resolve(from: string, to: string): Resolved {
  try {
    return { range: parseRange(from, to, serverNow()), error: null };
  } catch (error) {
    return { range: null, error: error as Error };
  }
}

/** Whether every node of `subject` is asked for; once they are, they stay until it changes. */
function useWhole(subject: string): [boolean, () => void] {
  const [whole, setWhole] = useState<string | null>(null);
  const ask = useCallback(() => setWhole(subject), [subject]);
  return [whole === subject, ask];
}

/** The range that times as typed mean now, and again with every tick of a page that is live. */
export function useRange(
  { from, to, live }: Pick<PageState, "from" | "to" | "live">,
  empty: boolean,
) {
  const [tick, retry] = useTicks(live ? LIVE_MS : empty ? FIRST_MS : 0);
  // A tick moves what "now" means, and so does the first answer where the clocks differ.
  const { range, error } = useMemo(() => resolve(from, to), [from, to, tick, serverOffset()]);
  return { range, error, tick, retry };
}

const nameOf = ({ function: name, file, binary }: PageState): string =>
  JSON.stringify([name, file, binary]);

/** `table`: whether the table is in view; its numbers are of the whole profile and cost time. */
export function useData(state: PageState, table: boolean) {
  const { query, from, to, live, search, by } = state;
  const [empty, setEmpty] = useState(false);
  const { range, error, tick, retry } = useRange({ from, to, live }, empty);
  const types = useAnswer(String(tick), getProfileTypes);
  const selection = useMemo<Selection | null>(() => range && { query, ...range }, [query, range]);
  const key = selection && `${query} ${selection.from} ${selection.to} ${tick}`;
  const about = selection as Selection;
  const how = JSON.stringify(shownOf(state));
  const shown = useMemo<Shown | null>(
    () => selection && { ...selection, shown: JSON.parse(how) },
    [selection, how],
  );
  const [all, askForAll] = useWhole(`${query} ${from} ${to} ${how}`);
  const flamegraph = useAnswer(key && `${key} ${how} ${all}`, (signal) =>
    getFlamegraph(shown as Shown, all ? EVERY_NODE : null, signal),
  );
  const timeline = useAnswer(key && `${key} ${by}`, (signal) => getTimeline(about, by, signal));
  const details = useDetails(shown, flamegraph.value, state);
  // A share is exact only where no node was left out.
  const lacking = search !== "" && (flamegraph.value?.hidden ?? 0) > 0;
  useEffect(() => {
    if (lacking) askForAll();
  }, [lacking, askForAll]);
  // The server has one answer's worth of time: the picture comes before what stands around it.
  const drawn = flamegraph.waiting ? null : key;
  const deploys = useAnswer(drawn, (signal) => getDeploys(about, signal));
  const labels = useAnswer(drawn, (signal) => getLabels(about, signal));
  const top = useAnswer(table && drawn ? `${key} ${how}` : null, (signal) =>
    getTop(shown as Shown, signal),
  );
  const chosen = key && state.function ? `${key} ${nameOf(state)}` : null;
  const sheet = chosen && table && state.side === "frame" ? `${chosen} ${state.label}` : null;
  const one = useAnswer(sheet, (signal) => getFunction(about, state, state.label, signal));
  const callers = useAnswer(
    state.tab === "sandwich" && chosen ? `${chosen} ${how}` : null,
    (signal) => getCallers(shown as Shown, state, signal),
  );
  const nothing = types.value?.length === 0;
  useEffect(() => setEmpty(nothing), [nothing]);
  return {
    ...{ labels: labels.value ?? [], deploys: deploys.value ?? [] },
    ...{ types: types.value ?? [], nothing, range, selection, shown, timeline, top, one, callers },
    retry,
    flamegraph: { ...flamegraph, value: details.answer },
    error:
      error ??
      flamegraph.error ??
      details.error ??
      timeline.error ??
      top.error ??
      one.error ??
      callers.error,
    waiting:
      timeline.waiting ||
      flamegraph.waiting ||
      details.waiting ||
      top.waiting ||
      one.waiting ||
      callers.waiting,
  };
}
