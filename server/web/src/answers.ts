/** What is asked of the HTTP API and what it answers: docs/reference/http-api.md. */

import type { FunctionRow } from "./lib/table";
import type { FrameTree, Kind } from "./lib/tree";

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
