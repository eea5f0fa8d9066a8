/** The questions of the HTTP API, each at its URL. Contract: docs/reference/http-api.md. */

import type {
  AlertsAnswer,
  CallersAnswer,
  Cost,
  Deploy,
  FunctionAnswer,
  FunctionCost,
  OverviewAnswer,
  ProfileType,
  Selection,
  Session,
  Shown,
  TimelineAnswer,
  TopAnswer,
  TrendAnswer,
  Wanted,
} from "./answers";
import type { Chosen } from "./lib/chosen";
import { type DifferenceAnswer, decodeDifference } from "./lib/difference";
import { LINES } from "./lib/palette";
import { decode, decodePacked, type FlamegraphAnswer, PACKED } from "./lib/payload";
import { ROOT } from "./lib/tree";
import { address, ask, get, respond } from "./request";

const parameters = ({ query, from, to }: Selection) => ({ query, from, to });

const shownParameters = (of: Shown) => ({ ...parameters(of), ...of.shown });

export const EXPORT_FORMATS = ["pprof", "folded", "speedscope", "html", "svg"] as const;

export const getProfileTypes = async (signal: AbortSignal): Promise<ProfileType[]> =>
  (await get<{ profile_types: ProfileType[] }>(address("profile-types", {}), signal)).profile_types;

export const getOverview = (of: Selection, signal: AbortSignal): Promise<OverviewAnswer> =>
  get(address("overview", parameters(of)), signal);

export const getAlerts = (signal: AbortSignal): Promise<AlertsAnswer> =>
  get(address("alerts", {}), signal);

export const getLabels = async (of: Selection, signal: AbortSignal): Promise<string[]> =>
  (await get<{ labels: string[] }>(address("labels", parameters(of)), signal)).labels;

export const getLabelValues = async (
  of: Selection,
  name: string,
  signal: AbortSignal,
): Promise<string[]> => {
  const url = address(`labels/${encodeURIComponent(name)}/values`, parameters(of));
  return (await get<{ values: string[] }>(url, signal)).values;
};

/** Collectors drain every 10 s: in shorter buckets a steady load would look like a comb. */
const SHORTEST_STEP_MS = 10_000;
const USUAL_BUCKETS = 200;

/** `by`: a label, or "". */
export const getTimeline = (
  of: Selection,
  by: string,
  signal: AbortSignal,
): Promise<TimelineAnswer> => {
  const short = of.to - of.from < SHORTEST_STEP_MS * USUAL_BUCKETS;
  const step = short ? { step: `${SHORTEST_STEP_MS / 1000}s` } : {};
  const parted = by ? { by, max_groups: LINES } : {};
  return get(address("timeline", { ...parameters(of), ...step, ...parted }), signal);
};

/** More marks than this nobody reads. */
const MARKS = 200;

export const getDeploys = async (of: Selection, signal: AbortSignal): Promise<Deploy[]> => {
  const url = address("deploys", { ...parameters(of), limit: MARKS });
  return (await get<{ deploys: Deploy[] }>(url, signal)).deploys;
};

/** All of it that the server sends unless told otherwise, or so many nodes, those of a subtree. */
export interface Part {
  /** the name of a node's path; "" is the root */
  readonly zoom: string;
  readonly nodes: number;
}

/** The most that the server sends. */
export const EVERY_NODE: Part = { zoom: "", nodes: 1_000_000 };

export const getFlamegraph = async (
  of: Shown,
  part: Part | null,
  signal: AbortSignal,
): Promise<FlamegraphAnswer> => {
  const limits = part && { max_nodes: part.nodes, ...(part.zoom && { zoom: part.zoom }) };
  const url = address("flamegraph", { ...shownParameters(of), ...limits });
  const response = await respond(url, { signal, headers: { Accept: PACKED } });
  return decodePacked(new Uint8Array(await response.arrayBuffer()));
};

/** Of a selection, and of the one that was before. */
export const getDifference = async (
  of: Selection,
  before: Selection,
  per: string,
  signal: AbortSignal,
): Promise<DifferenceAnswer> => {
  const baseline = { baseline: before.query, baseline_from: before.from, baseline_to: before.to };
  const url = address("diff", { ...parameters(of), ...baseline, per, limit: 0 });
  return decodeDifference(await get<unknown>(url, signal));
};

export const getTop = (of: Shown, signal: AbortSignal): Promise<TopAnswer> =>
  get(address("top", shownParameters(of)), signal);

/** What is not said is not asked for: a link may name a function and nothing more. */
const named = ({ function: name, file, binary }: Chosen) => ({
  ...{ function: name, ...(file && { file }), ...(binary && { binary }) },
});

const HOUR_MS = 3_600_000;
/** From here on, hours are fine enough, and the server has their sums. */
const HALF_A_DAY_MS = 12 * HOUR_MS;
const TREND_BUCKETS = 60;

/** With the trend, in buckets of whole seconds up to half a day, and by the hour beyond. */
export const getFunction = async (
  of: Selection,
  one: Chosen,
  by: string,
  signal: AbortSignal,
): Promise<FunctionAnswer> => {
  const length = of.to - of.from;
  const about = { ...parameters(of), ...named(one) };
  const seconds =
    Math.max(SHORTEST_STEP_MS, Math.ceil(length / TREND_BUCKETS / 1000) * 1000) / 1000;
  const short = length < HALF_A_DAY_MS;
  const url = address("function", { ...about, by, ...(short ? { step: `${seconds}s` } : {}) });
  if (short) return get(url, signal);
  const [answer, history] = await Promise.all([
    get<FunctionAnswer>(url, signal),
    get<HistoryAnswer>(address("history", about), signal),
  ]);
  return { ...answer, trend: { ...history, step: HOUR_MS, total: summed(history) } };
};

const TREND_MS = 90 * 24 * HOUR_MS;
const TREND_LINES = 5;

/** Of the 90 days up to the end of the selection. */
export const getTrend = (
  { query, to }: Selection,
  one: Chosen,
  by: string,
  signal: AbortSignal,
): Promise<TrendAnswer> => {
  const about = { ...parameters({ query, from: to - TREND_MS, to }), ...named(one) };
  return get(address("trend", { ...about, ...(by && { by }), limit: TREND_LINES }), signal);
};

interface HistoryAnswer {
  readonly times: readonly number[];
  readonly functions: readonly { readonly total: readonly number[] }[];
}

const summed = ({ times, functions }: HistoryAnswer): number[] =>
  times.map((_, hour) => functions.reduce((sum, { total }) => sum + total[hour], 0));

interface Callers {
  readonly unit: string;
  readonly total: Cost;
  readonly functions: readonly FunctionCost[];
  readonly callers: unknown;
  readonly callees: unknown;
}

export const getCallers = async (
  of: Shown,
  one: Chosen,
  signal: AbortSignal,
): Promise<CallersAnswer> => {
  const url = address("callers", { ...shownParameters(of), ...named(one) });
  const { unit, total, functions, callers, callees } = await get<Callers>(url, signal);
  const down = decode(callees).tree;
  return {
    ...{ unit, everything: total.value, callees: down, callers: decode(callers).tree },
    self: functions.reduce((sum, { self }) => sum + self, 0),
    total: down.total[ROOT],
  };
};

export const exportAddress = (of: Shown, format: (typeof EXPORT_FORMATS)[number]): string =>
  address("profiles", { ...shownParameters(of), format }).href;

/** Every node of the flamegraph. */
export const jsonAddress = (of: Shown): string =>
  address("flamegraph", { ...shownParameters(of), max_nodes: EVERY_NODE.nodes }).href;

export const askForSession = (wanted: Wanted): Promise<Session> =>
  ask(address("sessions", {}), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(wanted),
  });

const sessionAddress = (name: string) => address(`sessions/${encodeURIComponent(name)}`, {});

export const getSession = (name: string): Promise<Session> => ask(sessionAddress(name), {});

export const stopSession = (name: string): Promise<Session> =>
  ask(sessionAddress(name), { method: "DELETE" });
