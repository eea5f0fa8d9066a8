/** Two sides compared: what was before, what is now, the flamegraph of both, and who differs. */

import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import { getDifference } from "../api";
import type { Theme } from "../lib/colour";
import { type Change, changeColour, type DifferenceAnswer } from "../lib/difference";
import { count, counted } from "../lib/format";
import { describe, parseRange, type Range, toText } from "../lib/time";
import type { PageState } from "../lib/url";
import { useAnswer } from "./answer";
import { Brand } from "./brand";
import { useRange } from "./data";
import { DifferenceTable } from "./difference_table";
import { Graph } from "./graph";
import { Icon } from "./icons";
import { Problem, StaleBanner } from "./notices";
import type { Navigate } from "./page_state";
import { useSearch } from "./search";
import { SearchBox } from "./search_box";
import { TimeRange } from "./time_range";

interface Props {
  readonly state: PageState;
  readonly navigate: Navigate;
  readonly theme: Theme;
  readonly corner: ComponentChildren;
}

export function Comparison({ state, navigate, theme, corner }: Props) {
  const { range, before, answer, error, waiting, retry } = useDifference(state);
  const found = answer.value;
  const search = useSearch(found?.tree ?? null, state.search);
  return (
    <div class="page" data-waiting={waiting}>
      <header class="topbar">
        <Brand navigate={navigate} />
        <TimeRange state={state} range={range} navigate={navigate} />
        {corner}
      </header>
      <main class="content">
        <Sides {...{ state, navigate, range, before, answer: found }} />
        {error && !found ? (
          <Problem error={error} navigate={navigate} onRetry={retry} />
        ) : found ? (
          <>
            {error && <StaleBanner error={error} />}
            {noticesOf(found).map((text) => (
              <p key={text} class="banner" role="status">
                {text}
              </p>
            ))}
            <div class="toolbar">
              <SearchBox
                search={state.search}
                found={search.current ? search.found : null}
                tree={found.tree}
                error={search.error}
                onSearch={(text) => navigate({ search: text }, "replace")}
              />
              <Legend theme={theme} />
              <Per {...{ state, navigate }} />
            </div>
            <div class="views views-compared">
              <Graph
                answer={found}
                found={search.found}
                {...{ state, theme, navigate, difference: found.difference }}
              />
              <DifferenceTable answer={found} {...{ state, theme, navigate }} />
            </div>
          </>
        ) : (
          <div class="skeleton">Comparing…</div>
        )}
      </main>
    </div>
  );
}

function useDifference(state: PageState) {
  const { query, against, since, until, per } = state;
  const { range, error, tick, retry } = useRange(state, false);
  const resolved = useMemo(() => {
    if (!range) return { before: null, error: null };
    try {
      return { before: baselineOf(since, until, range), error: null };
    } catch (error) {
      return { before: null, error: error as Error };
    }
  }, [since, until, range]);
  const { before } = resolved;
  const key =
    range &&
    before &&
    [query, range.from, range.to, against, before.from, before.to, per].join(" ");
  const answer = useAnswer(key && `${key} ${tick}`, (signal) =>
    getDifference(
      { query, ...(range as Range) },
      { query: against, ...(before as Range) },
      per,
      signal,
    ),
  );
  return {
    ...{ range, before, answer, retry },
    error: error ?? resolved.error ?? answer.error,
    waiting: answer.waiting,
  };
}

/** What was typed, or as long a time right before. */
function baselineOf(since: string, until: string, range: Range): Range {
  if (since || until) return parseRange(since, until || "now", range.to);
  return { from: 2 * range.from - range.to, to: range.from };
}

function noticesOf({ notices, clustered, sides }: DifferenceAnswer): readonly string[] {
  if (clustered) return notices;
  const few = sides.map(({ units }) => units).join(" and ");
  return [
    ...notices,
    `${few} units are too few to tell what units of a side differ by: what looks like a difference here may be noise. Longer ranges or more hosts tell.`,
  ];
}

interface SidesProps {
  readonly state: PageState;
  readonly navigate: Navigate;
  readonly range: Range | null;
  readonly before: Range | null;
  readonly answer: DifferenceAnswer | null;
}

function Sides({ state, navigate, range, before, answer }: SidesProps) {
  const { query, from, to, against, since, until } = state;
  const swap = () =>
    before &&
    range &&
    navigate({
      ...{ query: against, from: toText(before.from), to: toText(before.to) },
      ...{ against: query, since: toText(range.from), until: toText(range.to), live: false },
    });
  return (
    <section class="sides" aria-label="Sides">
      <SideText
        name="Before"
        query={against}
        when={since ? describe(since, until || "now", before) : "as long, right before"}
        answer={answer}
        number={0}
      />
      <button type="button" class="ghost" aria-label="Swap sides" title="Swap sides" onClick={swap}>
        <Icon name="flip" />
      </button>
      <SideText
        name="After"
        query={query}
        when={describe(from, to, range)}
        answer={answer}
        number={1}
      />
      <button type="button" onClick={() => navigate({ against: "", since: "", until: "" })}>
        Compare no more
      </button>
    </section>
  );
}

interface SideTextProps {
  readonly name: string;
  readonly query: string;
  readonly when: string;
  readonly answer: DifferenceAnswer | null;
  readonly number: 0 | 1;
}

function SideText({ name, query, when, answer, number }: SideTextProps) {
  const side = answer?.sides[number];
  return (
    <div class="side-text">
      <b>{name}</b> <code>{query}</code>
      <span class="muted">
        {when}
        {side &&
          ` · ${count(side.total.samples)} samples of ${counted(side.coverage.hosts, "host")}` +
            (side.units === side.coverage.hosts ? "" : ` in ${counted(side.units, "window")}`)}
      </span>
    </div>
  );
}

const SHOWN: readonly Change[] = ["new", "grown", "shrunk", "vanished", "moved", "noise"];

function Legend({ theme }: { theme: Theme }) {
  return (
    <ul class="legend" aria-label="Colours">
      {SHOWN.map((change) => (
        <li key={change}>
          <span class="swatch" style={{ background: changeColour(change, theme) }} />
          {change}
        </li>
      ))}
    </ul>
  );
}

function Per({ state, navigate }: { state: PageState; navigate: Navigate }) {
  return (
    <fieldset class="segments" aria-label="Costs as">
      {(["share", "cores"] as const).map((each) => (
        <button
          key={each}
          type="button"
          aria-pressed={state.per === each}
          title={each === "share" ? "Parts of everything" : "CPUs that a host keeps busy"}
          onClick={() => navigate({ per: each })}
        >
          {each === "share" ? "Share" : "Cores"}
        </button>
      ))}
    </fieldset>
  );
}
