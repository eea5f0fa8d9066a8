/** The HTTP API: the only module that knows its URLs. Contract: docs/reference/http-api.md. */

import type { Chosen } from "./lib/chosen";
import { type DifferenceAnswer, decodeDifference } from "./lib/difference";
import { LINES } from "./lib/palette";
import { decode, decodePacked, type FlamegraphAnswer, PACKED } from "./lib/payload";
import type { FunctionRow } from "./lib/table";
import { type FrameTree, type Kind, ROOT } from "./lib/tree";

/** What every question is about; times are Unix milliseconds. */
export interface Selection {
  readonly query: string;
  readonly from: number;
  readonly to: number;
}

/** A selection, and what is done with its stacks: more parameters of the same name. */
export interface Shown extends Selection {
  readonly shown: Readonly<Record<string, string>>;
}

export interface ProfileType {
  readonly name: string;
  readonly unit: string;
}

export interface TimelineLine {
  readonly values: readonly number[];
  readonly samples: readonly number[];
}

export interface TimelineAnswer {
  readonly unit: string;
  readonly from: number;
  readonly to: number;
  /** milliseconds of a bucket */
  readonly step: number;
  readonly times: readonly number[];
  readonly values: readonly number[];
  readonly samples: readonly number[];
  /** where it is parted by a label: largest first, and the sum of all others */
  readonly by?: string;
  readonly groups?: readonly (TimelineLine & { readonly label_value: string })[];
  readonly rest?: TimelineLine & { readonly groups: number };
}

export interface TopAnswer {
  readonly unit: string;
  readonly total: { readonly value: number; readonly samples: number };
  readonly functions: readonly FunctionRow[];
  readonly functions_total: number;
}

export interface Cost {
  readonly value: number;
  readonly samples: number;
}

export interface Deploy {
  readonly time: number;
  readonly service: string;
  readonly environment: string;
  readonly executable: string;
  readonly version: string;
  readonly previous: string;
  readonly revision: string;
  readonly hosts: number;
}

export interface Grown {
  readonly function: string;
  readonly file: string;
  readonly binary: string;
  readonly kind: Kind;
  readonly self: number;
  readonly self_samples: number;
  readonly self_before: number;
  readonly self_samples_before: number;
}

export interface ServiceRow {
  readonly service: string;
  readonly hosts: number;
  readonly total: Cost;
  readonly before: Cost;
  readonly values: readonly number[];
  readonly deploys: readonly Deploy[];
  readonly grown: readonly Grown[];
}

export interface OverviewAnswer {
  readonly unit: string;
  readonly from: number;
  readonly to: number;
  readonly step: number;
  readonly times: readonly number[];
  readonly services: readonly ServiceRow[];
  readonly services_total: number;
}

export interface FunctionCost {
  readonly self: number;
  readonly total: number;
  readonly self_samples: number;
  readonly total_samples: number;
}

/** One function, at its lines, for the values of a label, and in time. */
export interface FunctionAnswer extends FunctionCost {
  readonly unit: string;
  readonly everything: Cost;
  readonly lines: readonly (FunctionCost & { readonly file: string; readonly line: number })[];
  readonly lines_total: number;
  readonly groups?: readonly (FunctionCost & {
    readonly label_value: string;
    readonly everything: Cost;
  })[];
  readonly groups_total?: number;
  readonly trend?: {
    /** milliseconds of a bucket */
    readonly step: number;
    readonly times: readonly number[];
    readonly total: readonly number[];
  };
}

/** That a share took another level, known to `precision` milliseconds, and what was deployed then. */
export interface TrendChange {
  readonly time: number;
  readonly precision: number;
  readonly before: number;
  readonly after: number;
  readonly deploys: readonly Deploy[];
}

/** A function, or it for a value of a label; an entry a day. */
export interface TrendLine {
  readonly label_value: string;
  readonly file: string;
  readonly binary: string;
  readonly total: readonly number[];
  readonly all_samples: readonly number[];
  readonly clusters: readonly number[];
  readonly share: readonly number[];
  readonly low: readonly number[];
  readonly high: readonly number[];
  readonly changes: readonly TrendChange[];
}

export interface TrendAnswer {
  readonly unit: string;
  /** milliseconds of a day */
  readonly step: number;
  readonly times: readonly number[];
  /** what intervals are of: `hour` or `host` */
  readonly cluster: string;
  readonly lines: readonly TrendLine[];
  readonly lines_total: number;
  readonly deploys: readonly Deploy[];
}

/** Who calls a function and what it calls; both trees begin with it. */
export interface CallersAnswer {
  readonly unit: string;
  readonly everything: number;
  readonly self: number;
  readonly total: number;
  readonly callers: FrameTree;
  readonly callees: FrameTree;
}

/** A rule of the server's, and how it stands. */
export interface Alert {
  readonly name: string;
  readonly query: string;
  /** "": any */
  readonly function: string;
  readonly cost: string;
  readonly condition: string;
  readonly bound: string;
  /** milliseconds */
  readonly window: number;
  readonly state: string;
  /** 0: never evaluated */
  readonly since: number;
  readonly detail: string;
  /** why it was not evaluated, "" where it was */
  readonly error: string;
}

export interface AlertsAnswer {
  readonly alerts: readonly Alert[];
}

export const EXPORT_FORMATS = ["pprof", "folded", "speedscope", "html", "svg"] as const;

export interface SessionHost {
  readonly host_name: string;
  readonly state: string;
  readonly reason: string;
  /** 0: the whole host */
  readonly processes: number;
  readonly accounts: { readonly taken: number };
}

/** A closer profile that collectors were asked for. */
export interface Session {
  readonly session: string;
  readonly open: boolean;
  readonly profile: Selection;
  readonly hosts: readonly SessionHost[];
}

export interface Wanted {
  readonly query: string;
  readonly event: string;
  readonly frequency: number;
  readonly duration: string;
}

/** The server refused; `position` is the character of a selector at which the mistake stands. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly position: number | null,
  ) {
    super(message);
  }
}

/** There was no answer at all. */
export class UnreachableError extends Error {}

const address = (path: string, parameters: Record<string, string | number>): URL => {
  const url = new URL(`api/v1/${path}`, document.baseURI);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, String(value));
  return url;
};

const parameters = ({ query, from, to }: Selection) => ({ query, from, to });

const shownParameters = (of: Shown) => ({ ...parameters(of), ...of.shown });

const get = <T>(url: URL, signal: AbortSignal): Promise<T> => ask(url, { signal });

async function ask<T>(url: URL, request: RequestInit): Promise<T> {
  return (await (await respond(url, request)).json()) as T;
}

async function respond(url: URL, request: RequestInit): Promise<Response> {
  const response = await fetch(url, request).catch((error: Error) => {
    if (error.name === "AbortError") throw error;
    throw new UnreachableError(`no answer from ${url.origin}`);
  });
  noteServerClock(response.headers.get("date"));
  if (!response.ok) throw await refusal(response);
  return response;
}

async function refusal(response: Response): Promise<ApiError> {
  const problem = await response.json().catch(() => ({}));
  const message = problem.detail ?? problem.title ?? `the server answered ${response.status}`;
  return new ApiError(message, response.status, problem.position ?? null);
}

// Ranges like "the last hour" are resolved by the page, once, so that all its parts speak of the
// same one; by the server's clock, because the browser's may be hours off. The header has whole
// seconds, so smaller differences mean nothing.
const CLOCK_NOISE_MS = 2000;
let clockOffset = 0;

function noteServerClock(date: string | null): void {
  const offset = Date.parse(date ?? "") - Date.now();
  if (Math.abs(offset - clockOffset) > CLOCK_NOISE_MS) clockOffset = offset;
}

/** Milliseconds by which the server's clock is ahead, as far as an answer has told it. */
export const serverOffset = (): number => clockOffset;

/** Unix milliseconds by the server's clock. */
export const serverNow = (): number => Date.now() + clockOffset;

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
