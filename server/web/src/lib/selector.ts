/**
 * Selectors as the label filters edit them: `cpu{host_name="a",service_name=~"check.*"}`.
 *
 * The server's parser is the judge of what a selector is. This one reads what it can, so that
 * filters can be shown as chips; text that it cannot read is sent as it stands.
 */

export const OPERATORS = ["=", "!=", "=~", "!~"] as const;
export type Operator = (typeof OPERATORS)[number];

export interface Matcher {
  readonly name: string;
  readonly op: Operator;
  readonly value: string;
}

export interface Selector {
  readonly type: string;
  readonly matchers: readonly Matcher[];
}

const TYPE = /\s*([a-zA-Z_]\w*)\s*/y;
const MATCHER =
  /\s*([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)\s*/y;
const ESCAPES: Record<string, string> = {
  ...{ n: "\n", t: "\t", r: "\r", '"': '"', "'": "'", "\\": "\\" },
};

/** Null where the text is not such a selector, or uses more of PromQL than we read. */
export function parse(text: string): Selector | null {
  const type = matchAt(TYPE, text, 0);
  if (!type) return null;
  const matchers: Matcher[] = [];
  let at = type[0].length;
  if (at === text.length) return { type: type[1], matchers };
  if (text[at++] !== "{") return null;
  for (let part = matchAt(MATCHER, text, at); part; part = matchAt(MATCHER, text, at)) {
    const value = unquote(part[3]);
    if (value === null) return null;
    matchers.push({ name: part[1], op: part[2] as Operator, value });
    at += part[0].length;
    if (text[at] !== ",") break;
    at++;
  }
  return /^\s*\}\s*$/.test(text.slice(at)) ? { type: type[1], matchers } : null;
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

/** Null for an escape that we do not know: better no chip than a wrong one. */
function unquote(quoted: string): string | null {
  if (quoted.startsWith("`")) return quoted.slice(1, -1);
  let known = true;
  const value = quoted.slice(1, -1).replace(/\\(.)/g, (_, letter: string) => {
    known &&= letter in ESCAPES;
    return ESCAPES[letter] ?? "";
  });
  return known ? value : null;
}

const quote = (value: string): string =>
  `"${value.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n").replace(/\t/g, "\\t").replace(/\r/g, "\\r")}"`;

export function format({ type, matchers }: Selector): string {
  const inside = matchers.map(({ name, op, value }) => name + op + quote(value)).join(",");
  return inside ? `${type}{${inside}}` : type;
}

/** A matcher that says what another one said already changes nothing. */
export function withMatcher(selector: Selector, matcher: Matcher): Selector {
  const { name, op, value } = matcher;
  const known = selector.matchers.some(
    (one) => one.name === name && one.op === op && one.value === value,
  );
  return known ? selector : { ...selector, matchers: [...selector.matchers, matcher] };
}

export function withoutMatcher(selector: Selector, index: number): Selector {
  return { ...selector, matchers: selector.matchers.filter((_, i) => i !== index) };
}

/** What says which session a sample is of; `profiler/session.py`. */
const SESSION = "profiler_session";

/** The usual samples of the processes that `selector` speaks of, which may be those of a session. */
export function usual({ matchers }: Selector): Selector {
  return { type: "cpu", matchers: matchers.filter(({ name }) => name !== SESSION) };
}
