/** The whole state of the page, and its URL: what is not said is the default. */

import { ORDERS, type Order } from "./order";

export const TABS = ["both", "flamegraph", "table", "sandwich"] as const;
export const ORIENTATIONS = ["icicle", "flame"] as const;
export const COLOURINGS = ["kind", "package", "binary", "share"] as const;
export const PALETTES = ["usual", "safe"] as const;
export const THREADS = ["keep", "merge"] as const;
export const RECURSIONS = ["keep", "collapse"] as const;
export const SORTS = ["self", "total", "name"] as const;

export const PERS = ["share", "cores"] as const;

/** What stands beside the flamegraph. */
export const SIDES = ["functions", "frame", "history"] as const;

export interface PageState {
  /** selector, as typed; "" is the overview */
  readonly query: string;
  /** times, as typed */
  readonly from: string;
  readonly to: string;
  readonly live: boolean;
  /** the label by which the timeline is parted, "" for none */
  readonly by: string;
  /** whether its lines stand on each other */
  readonly stack: boolean;
  readonly tab: (typeof TABS)[number];
  readonly orientation: (typeof ORIENTATIONS)[number];
  readonly colour: (typeof COLOURINGS)[number];
  /** safe: told apart without red and green */
  readonly palette: (typeof PALETTES)[number];
  /** of siblings in the flamegraph */
  readonly order: Order;
  /** what the server does with the stacks; expressions as typed, see docs/reference/http-api.md */
  readonly focus: string;
  readonly hide: string;
  readonly fold: string;
  readonly threads: (typeof THREADS)[number];
  readonly recursion: (typeof RECURSIONS)[number];
  readonly group: string;
  /** see path.ts */
  readonly zoom: string;
  /** see view.ts */
  readonly view: string;
  readonly search: string;
  readonly sort: (typeof SORTS)[number];
  readonly descending: boolean;
  /** rows of the table whose name holds this */
  readonly filter: string;
  readonly side: (typeof SIDES)[number];
  /** the function that is looked at, "" for none, and what tells it from others of its name */
  readonly function: string;
  readonly file: string;
  readonly binary: string;
  /** the frame that is selected, see path.ts; "" is that which is zoomed to */
  readonly at: string;
  /** by which the shares of a function are told */
  readonly label: string;
  /** the selector that this is compared with, "" for no comparison, and its times as typed: "" are
   * as long a time right before */
  readonly against: string;
  readonly since: string;
  readonly until: string;
  /** what costs are divided by in a comparison */
  readonly per: (typeof PERS)[number];
}

/** What the explorer shows of everything. */
export const EVERYTHING = "cpu";

/** Of the overview: a day tells more of a service than an hour. */
export const DEFAULTS: PageState = {
  query: "",
  from: "now-24h",
  to: "now",
  live: false,
  by: "",
  stack: true,
  tab: "both",
  orientation: "icicle",
  colour: "kind",
  palette: "usual",
  order: "size",
  focus: "",
  hide: "",
  fold: "",
  threads: "keep",
  recursion: "keep",
  group: "function",
  zoom: "",
  view: "",
  search: "",
  sort: "self",
  descending: true,
  filter: "",
  side: "functions",
  function: "",
  file: "",
  binary: "",
  at: "",
  label: "host_name",
  against: "",
  since: "",
  until: "",
  per: "share",
};

const EXPLORER: PageState = { ...DEFAULTS, query: EVERYTHING, from: "now-1h" };

const defaultsOf = (query: string): PageState => (query === "" ? DEFAULTS : EXPLORER);

/** A state of which only this is said. */
export const stateWith = (said: Partial<PageState>): PageState => ({
  ...{ ...defaultsOf(said.query ?? ""), ...said },
});

/** What the overview has too: with anything else, a link without a query is to the explorer. */
const OF_BOTH = ["query", "from", "to", "live"];

/** Reads the part of a URL behind "?"; what it cannot mean is the default. */
export function read(search: string): PageState {
  const said = new URLSearchParams(search);
  const explorer = [...said.keys()].some((name) => name in DEFAULTS && !OF_BOTH.includes(name));
  const query = said.get("query") || (explorer ? EVERYTHING : "");
  const text = (name: string, otherwise: string) => said.get(name) ?? otherwise;
  const flag = (name: string, otherwise: boolean) =>
    said.has(name) ? said.get(name) === "1" : otherwise;
  const one = <T extends string>(name: string, of: readonly T[], otherwise: T): T =>
    of.find((value) => value === said.get(name)) ?? otherwise;
  return {
    query,
    from: text("from", defaultsOf(query).from),
    to: text("to", DEFAULTS.to),
    live: flag("live", DEFAULTS.live),
    by: text("by", DEFAULTS.by),
    stack: flag("stack", DEFAULTS.stack),
    tab: one("tab", TABS, DEFAULTS.tab),
    orientation: one("orientation", ORIENTATIONS, DEFAULTS.orientation),
    colour: one("colour", COLOURINGS, DEFAULTS.colour),
    palette: one("palette", PALETTES, DEFAULTS.palette),
    order: one("order", ORDERS, DEFAULTS.order),
    focus: text("focus", DEFAULTS.focus),
    hide: text("hide", DEFAULTS.hide),
    fold: text("fold", DEFAULTS.fold),
    threads: one("threads", THREADS, DEFAULTS.threads),
    recursion: one("recursion", RECURSIONS, DEFAULTS.recursion),
    group: text("group", DEFAULTS.group),
    zoom: text("zoom", DEFAULTS.zoom),
    view: text("view", DEFAULTS.view),
    search: text("search", DEFAULTS.search),
    sort: one("sort", SORTS, DEFAULTS.sort),
    descending: flag("descending", DEFAULTS.descending),
    filter: text("filter", DEFAULTS.filter),
    side: one("side", SIDES, DEFAULTS.side),
    function: text("function", DEFAULTS.function),
    file: text("file", DEFAULTS.file),
    binary: text("binary", DEFAULTS.binary),
    at: text("at", DEFAULTS.at),
    label: text("label", DEFAULTS.label),
    against: text("against", DEFAULTS.against),
    since: text("since", DEFAULTS.since),
    until: text("until", DEFAULTS.until),
    per: one("per", PERS, DEFAULTS.per),
  };
}

/** The query part of the URL, with its "?", or "" for the defaults. */
export function write(state: PageState): string {
  const said = new URLSearchParams();
  const usual = defaultsOf(state.query);
  for (const [name, value] of Object.entries(state)) {
    if (value === usual[name as keyof PageState] && (name !== "query" || value === "")) continue;
    said.set(name, typeof value === "boolean" ? (value ? "1" : "0") : value);
  }
  return said.size > 0 ? `?${said}` : "";
}

const SHOWN = ["focus", "hide", "fold", "threads", "recursion", "group"] as const;

/** A state that shows stacks as they are. */
export const AS_THEY_ARE: Partial<PageState> = Object.fromEntries(
  SHOWN.map((name) => [name, DEFAULTS[name]]),
);

/** What is done with the stacks, without what does nothing. */
export const shownOf = (state: PageState): Readonly<Record<string, string>> =>
  Object.fromEntries(
    SHOWN.filter((name) => state[name] !== DEFAULTS[name]).map((name) => [name, state[name]]),
  );
