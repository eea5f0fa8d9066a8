/** The whole state of the page, and its URL: what is not said is the default. */

export const TABS = ["both", "flamegraph", "table"] as const;
export const ORIENTATIONS = ["icicle", "flame"] as const;
export const COLOURINGS = ["kind", "binary"] as const;
export const SORTS = ["self", "total", "name"] as const;

export interface PageState {
  /** selector, as typed */
  readonly query: string;
  /** times, as typed */
  readonly from: string;
  readonly to: string;
  readonly live: boolean;
  readonly tab: (typeof TABS)[number];
  readonly orientation: (typeof ORIENTATIONS)[number];
  readonly colour: (typeof COLOURINGS)[number];
  /** see path.ts */
  readonly zoom: string;
  /** see view.ts */
  readonly view: string;
  readonly search: string;
  readonly sort: (typeof SORTS)[number];
  readonly descending: boolean;
  /** rows of the table whose name holds this */
  readonly filter: string;
}

export const DEFAULTS: PageState = {
  query: "cpu",
  from: "now-1h",
  to: "now",
  live: false,
  tab: "both",
  orientation: "icicle",
  colour: "kind",
  zoom: "",
  view: "",
  search: "",
  sort: "self",
  descending: true,
  filter: "",
};

/** Reads the part of a URL behind "?"; what it cannot mean is the default. */
export function read(search: string): PageState {
  const said = new URLSearchParams(search);
  const text = (name: string, otherwise: string) => said.get(name) ?? otherwise;
  const flag = (name: string, otherwise: boolean) =>
    said.has(name) ? said.get(name) === "1" : otherwise;
  const one = <T extends string>(name: string, of: readonly T[], otherwise: T): T =>
    of.find((value) => value === said.get(name)) ?? otherwise;
  return {
    query: text("query", DEFAULTS.query),
    from: text("from", DEFAULTS.from),
    to: text("to", DEFAULTS.to),
    live: flag("live", DEFAULTS.live),
    tab: one("tab", TABS, DEFAULTS.tab),
    orientation: one("orientation", ORIENTATIONS, DEFAULTS.orientation),
    colour: one("colour", COLOURINGS, DEFAULTS.colour),
    zoom: text("zoom", DEFAULTS.zoom),
    view: text("view", DEFAULTS.view),
    search: text("search", DEFAULTS.search),
    sort: one("sort", SORTS, DEFAULTS.sort),
    descending: flag("descending", DEFAULTS.descending),
    filter: text("filter", DEFAULTS.filter),
  };
}

/** The query part of the URL, with its "?", or "" for the defaults. */
export function write(state: PageState): string {
  const said = new URLSearchParams();
  for (const [name, value] of Object.entries(state)) {
    if (value === DEFAULTS[name as keyof PageState]) continue;
    said.set(name, typeof value === "boolean" ? (value ? "1" : "0") : value);
  }
  return said.size > 0 ? `?${said}` : "";
}
