/** The first page: services by the cores they use, what came new, and what grew in a week. */

import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Selection } from "../answers";
import { getOverview, getProfileTypes } from "../api";
import { count, counted, digits } from "../lib/format";
import { rate } from "../lib/rate";
import { EVERYTHING, type PageState } from "../lib/url";
import { Alerts } from "./alerts";
import { useAnswer } from "./answer";
import { Brand } from "./brand";
import { useRange } from "./data";
import { Growth } from "./growth";
import { PageLink } from "./link";
import { NothingYet, Problem, StaleBanner } from "./notices";
import type { PartProps } from "./overview_part";
import type { Navigate } from "./page_state";
import { Services } from "./services";
import { TimeRange } from "./time_range";

interface Props {
  readonly state: PageState;
  readonly navigate: Navigate;
  readonly corner: ComponentChildren;
}

export function Overview({ state, navigate, corner }: Props) {
  const { range, types, overview, nothing, error, tick, retry } = useOverview(state);
  const answer = overview.value;
  return (
    <div class="page" data-waiting={overview.waiting || types.waiting}>
      <header class="topbar">
        <Brand navigate={navigate} />
        <TimeRange state={state} range={range} navigate={navigate} />
        {corner}
      </header>
      <main class="content overview">
        {error && !answer ? (
          <Problem error={error} navigate={navigate} onRetry={retry} />
        ) : nothing ? (
          <NothingYet />
        ) : answer ? (
          <>
            {error && <StaleBanner error={error} />}
            <Summary answer={answer} state={state} navigate={navigate} />
            <Alerts tick={tick} navigate={navigate} />
            <Services answer={answer} state={state} navigate={navigate} />
            <Growth answer={answer} state={state} navigate={navigate} />
          </>
        ) : (
          <div class="skeleton">Adding samples up…</div>
        )}
      </main>
    </div>
  );
}

function useOverview(state: PageState) {
  const [empty, setEmpty] = useState(false);
  const { range, error, tick, retry } = useRange(state, empty);
  const types = useAnswer(String(tick), getProfileTypes);
  const selection = useMemo<Selection | null>(
    () => range && { query: EVERYTHING, ...range },
    [range],
  );
  const key = selection && `${selection.from} ${selection.to} ${tick}`;
  const overview = useAnswer(key, (signal) => getOverview(selection as Selection, signal));
  const nothing = types.value?.length === 0;
  useEffect(() => setEmpty(nothing), [nothing]);
  const problem = error ?? overview.error ?? types.error;
  return { range, types, overview, nothing, tick, retry, error: problem };
}

function Summary({ answer, state: { from, to }, navigate }: PartProps) {
  const { services, services_total, unit } = answer;
  const total = services.reduce((sum, { total: { value } }) => sum + value, 0);
  const samples = services.reduce((sum, one) => sum + one.total.samples, 0);
  return (
    <header class="overview-summary">
      <h2>
        {counted(services_total, "service")}
        <span class="muted">
          {" "}
          on {digits(rate(total, answer.to - answer.from, unit))} cores · {count(samples)} samples
        </span>
      </h2>
      <PageLink to={{ query: EVERYTHING, from, to }} navigate={navigate} class="button">
        Explore all
      </PageLink>
    </header>
  );
}
